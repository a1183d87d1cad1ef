// The request as its client signed it. The platform changes parts of it on the way, and aws4fetch reads parts
// differently: both are undone here.
import { S3Error } from "../../http/s3-error.ts";

/**
 * The URL that the client signed. Its host is the Host header, which keeps a port that is the scheme's default. The
 * scheme is not signed: with http the URL parser does not drop https's default port.
 */
export function urlAsSent(request: Request): URL {
  const { path, query } = target(request);
  const host = request.headers.get("Host") ?? new URL(request.url).host;
  const scheme = host.endsWith(":443") ? "http" : "https";
  // In a path `+` is a plus; aws4fetch takes it for a space.
  const text = `${scheme}://${host}${path.replaceAll("+", "%2B")}${query}`.replaceAll("#", "%23");
  // With a slash in Host, part of the path could pass for part of the host.
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

/** Refuses parameters that aws4fetch leaves out of the signature: repeated ones, and those without a name. */
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

/** The values of the headers `names` that the client signed; the host is taken from the URL. */
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

/** A header as the client sent it: the platform changes or drops these on the way. */
function headerAsSent(request: Request, name: string): string | undefined {
  const value = request.headers.get(name) ?? undefined;
  switch (name) {
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

/** One way in which the client may have written the request that it signed. */
export interface Spelling {
  readonly method: string;
  /** The path as it was sent; `undefined` for S3's: everything but `/` and unreserved characters percent-encoded. */
  readonly rawPath: string | undefined;
}

/**
 * All ways in which the client may have written this request. The edge turns an uncached HEAD into a GET. Accepting
 * the signature of a HEAD for a GET is safe for a signed request, because both need the same permission, but not for
 * a pre-signed URL, which may have been given to a third party for HEAD only. curl, with which Nix signs from 2.33
 * on, signs the path as it sends it, `:` and `+` not encoded.
 */
export function spellings(request: Request, isPresigned: boolean): readonly Spelling[] {
  const { method } = request;
  const methods = method === "GET" && !isPresigned ? ["GET", "HEAD"] : [method];
  const { path } = target(request);
  return methods.flatMap((method) => [
    { method, rawPath: undefined },
    { method, rawPath: path },
  ]);
}
