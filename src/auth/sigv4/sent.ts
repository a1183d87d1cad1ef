// The request as its client sent it: what the platform changes on the way is undone here.
import { S3Error } from "../../http/s3-error.ts";
import { canonicalPath } from "./canonical.ts";

/** Path and query, letter by letter. */
export function targetAsSent({ url }: Request): { readonly path: string; readonly query: URLSearchParams } {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const text = start < 0 ? "/" : url.slice(start);
  const end = text.includes("?") ? text.indexOf("?") : text.length;
  return { path: text.slice(0, end), query: parseQuery(text.slice(end)) };
}

/** Refuses a repeated parameter, which its reader could take for another value, and one without a name. */
function parseQuery(text: string): URLSearchParams {
  const query = new URLSearchParams(text);
  const names = [...query.keys()];
  if (names.includes("") || new Set(names).size < names.length) {
    throw new S3Error(
      400,
      "InvalidArgument",
      "every parameter of a signed query needs a name and may come once",
    );
  }
  return query;
}

/** The Host header keeps a port that is the scheme's default. */
export function hostAsSent(request: Request): string {
  const host = request.headers.get("Host") ?? new URL(request.url).host;
  // It becomes part of a message.
  if (!/^[\w.:[\]-]+$/.test(host)) throw new S3Error(400, "InvalidRequest", "the Host header is not a host");
  return host.toLowerCase();
}

/** The headers `names`, which the client signed. */
export function headersAsSent(request: Request, names: readonly string[]): ReadonlyMap<string, string> {
  if (!names.includes("host")) throw new S3Error(403, "AccessDenied", "the Host header must be signed");
  const unsigned = [...request.headers.keys()].filter(
    (name) => name.startsWith("x-amz-") && !names.includes(name),
  );
  if (unsigned.length > 0) {
    throw new S3Error(403, "AccessDenied", `there are headers that were not signed: ${unsigned.join(", ")}`);
  }
  return new Map(names.map((name) => [name, headerAsSent(request, name)]));
}

function headerAsSent(request: Request, name: string): string {
  const value = receivedOrDropped(request, name);
  if (value !== undefined) return value;
  throw new S3Error(403, "SignatureDoesNotMatch", `the signed header ${name} did not arrive`);
}

/** The platform changes or drops these on the way. */
function receivedOrDropped(request: Request, name: string): string | undefined {
  const value = request.headers.get(name) ?? undefined;
  switch (name) {
    case "host":
      return hostAsSent(request);
    case "accept-encoding": {
      // Signed by rclone and others (aws-sdk-go-v2), replaced by Cloudflare.
      const sent = request.cf?.clientAcceptEncoding;
      return typeof sent === "string" ? sent : value;
    }
    case "content-type":
      // Signed empty by some, and then not sent or dropped.
      return value ?? "";
    case "content-length":
      return value ?? (request.body === null ? "0" : undefined);
    case "expect":
      // Signed by old versions of the AWS CLI, answered and dropped by Cloudflare.
      return value ?? "100-continue";
    default:
      return value;
  }
}

/**
 * Methods that the client may have signed. The edge turns an uncached HEAD into a GET. Accepting the signature of a HEAD
 * for a GET is safe for a signed request, because both need the same permission, but not for a pre-signed URL, which may
 * have been given to a third party for HEAD only.
 */
export function signedMethods({ method }: Request, isPresigned: boolean): readonly string[] {
  return method === "GET" && !isPresigned ? ["GET", "HEAD"] : [method];
}

/**
 * Paths that the client may have signed: in S3's encoding, or as it was sent. The latter is curl's way, with which Nix
 * signs from 2.33 on: `:` and `+` are not encoded.
 */
export function signedPaths(path: string): ReadonlySet<string> {
  return new Set([canonicalPath(path), path]);
}
