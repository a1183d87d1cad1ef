// The request as its client signed it: what the platform and aws4fetch would read differently is put right here.
import { S3Error } from "../../http/s3-error.ts";
import type { SignatureParams } from "./signature-params.ts";

/**
 * The URL that the client signed. Its host is the Host header, where a port that is the scheme's default still shows;
 * the scheme is not signed, so that the other one can keep the parser from dropping such a port.
 */
export function urlAsSent(request: Request): URL {
  const { path, query } = target(request);
  const host = request.headers.get("Host") ?? new URL(request.url).host;
  const scheme = host.endsWith(":443") ? "http" : "https";
  // In a path `+` is a plus; aws4fetch takes it for a space.
  const text = `${scheme}://${host}${path.replaceAll("+", "%2B")}${query}`.replaceAll("#", "%23");
  // A Host with a slash would let a part of the path pass for a part of the host.
  const url = /^[\w.:[\]-]+$/.test(host) ? URL.parse(text) : null;
  if (url === null) throw new S3Error(400, "InvalidRequest", "the Host header is not a host");
  return url;
}

/** Path and query, letter by letter. */
function target({ url }: Request): { readonly path: string; readonly query: string } {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const text = start < 0 ? "/" : url.slice(start);
  const end = text.includes("?") ? text.indexOf("?") : text.length;
  return { path: text.slice(0, end), query: text.slice(end) };
}

/** aws4fetch signs only the first of equal parameters and none without a name: such would go through unsigned. */
export function checkQuery(query: URLSearchParams): void {
  const names = [...query.keys()];
  if (names.includes("") || new Set(names).size < names.length) {
    throw new S3Error(
      400,
      "InvalidArgument",
      "every parameter of a signed query needs a name and may come once",
    );
  }
}

/** The headers that the client says it signed. The host comes from the URL. */
export function headersAsSent(request: Request, names: readonly string[]): Headers {
  if (!names.includes("host")) throw new S3Error(403, "AccessDenied", "the Host header must be signed");
  const unsigned = [...request.headers.keys()].filter(
    (name) => name.startsWith("x-amz-") && !names.includes(name),
  );
  if (unsigned.length > 0) {
    throw new S3Error(403, "AccessDenied", `there are headers that were not signed: ${unsigned.join(", ")}`);
  }
  const headers = new Headers();
  for (const name of names.filter((name) => name !== "host")) {
    const value = headerAsSent(request, name);
    if (value === undefined) {
      throw new S3Error(403, "SignatureDoesNotMatch", `the signed header ${name} did not arrive`);
    }
    headers.set(name, value);
  }
  return headers;
}

/** A header as the client sent it, where the platform is known to change it on the way. */
function headerAsSent(request: Request, name: string): string | undefined {
  const value = request.headers.get(name) ?? undefined;
  switch (name) {
    case "accept-encoding": {
      // Cloudflare puts its own in the place of what rclone and others (aws-sdk-go-v2) have signed.
      const sent = request.cf?.clientAcceptEncoding;
      return typeof sent === "string" ? sent : value;
    }
    case "content-length":
      return value ?? (request.body === null ? "0" : undefined);
    case "expect":
      // Answered and dropped before the Worker; old versions of the AWS CLI signed it.
      return value ?? "100-continue";
    default:
      return value;
  }
}

/** One way in which the client may have written what it signed. */
export interface Spelling {
  readonly method: string;
  /** `undefined` for S3's: everything but `/` and unreserved characters percent-encoded. */
  readonly path: string | undefined;
}

/**
 * All ways in which the client may have written this request. The cache in front turns HEAD into GET when it holds
 * nothing yet: to take the signature of a HEAD for a GET is safe where the client made it for this very request, for
 * both need the same permission. A pre-signed HEAD was given to somebody else, for no more than a HEAD.
 * And curl, with which Nix signs from 2.33 on, signs the path as it sends it, `:` and `+` not encoded.
 */
export function spellings(request: Request, { presigned }: SignatureParams): readonly Spelling[] {
  const { method } = request;
  const methods = method === "GET" && !presigned ? ["GET", "HEAD"] : [method];
  const { path } = target(request);
  return methods.flatMap((method) => [
    { method, path: undefined },
    { method, path },
  ]);
}
