// The canonical request, over which AWS Signature Version 4 is computed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

export interface CanonicalParts {
  readonly method: string;
  /** Encoded, as the client signed it. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The signed headers, by their names: lower case, sorted. */
  readonly headers: ReadonlyMap<string, string>;
  /** A hash, or the name of the body's form. */
  readonly payloadHash: string;
}

export function canonicalRequest({ method, path, query, headers, payloadHash }: CanonicalParts): string {
  return [
    method,
    path,
    canonicalQuery(query),
    ...Array.from(headers, ([name, value]) => `${name}:${value.replace(/\s+/g, " ")}`),
    "",
    [...headers.keys()].join(";"),
    payloadHash,
  ].join("\n");
}

/** A path in S3's encoding, from one in any: everything but `/` and unreserved characters is percent-encoded. */
export function canonicalPath(path: string): string {
  return uriEncode(decoded(path)).replaceAll("%2F", "/");
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A percent sign that was sent as it is.
    return path;
  }
}

/** Sorted by the encoded names, without the signature of a pre-signed URL, which covers the others. */
function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((pair) => pair.join("="))
    .join("&");
}

/** Leaves only the unreserved characters of RFC 3986, section 2.3. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
