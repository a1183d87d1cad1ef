// The signature of AWS Signature Version 4 for S3, in the steps of AWS's "Create a signed AWS API request".

/** What is signed of a request. */
export interface Canonical {
  readonly method: string;
  /** With its path still encoded, and without the signature in its query. */
  readonly url: URL;
  /** The path in the client's own spelling; `undefined` for S3's. */
  readonly path: string | undefined;
  /** The signed ones; the host's value comes from the URL. */
  readonly headers: Headers;
  /** Lower case. */
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
}

/** `datetime` is in the form 20260101T000000Z. */
export function scopeOf(datetime: string, region: string): string {
  return `${datetime.slice(0, 8)}/${region}/s3/aws4_request`;
}

/** Step 4: the key for a day, a region and S3. */
export async function deriveSigningKey(secret: string, scope: string): Promise<ArrayBuffer> {
  let key: BufferSource = new TextEncoder().encode(`AWS4${secret}`);
  for (const part of scope.split("/")) key = await hmac(key, part);
  return key as ArrayBuffer;
}

/** Steps 1 to 3 and 5. Lower-case hex. */
export async function signatureOf(
  canonical: Canonical,
  key: ArrayBuffer,
  datetime: string,
  scope: string,
): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalRequest(canonical)));
  const stringToSign = ["AWS4-HMAC-SHA256", datetime, scope, new Uint8Array(hash).toHex()].join("\n");
  return new Uint8Array(await hmac(key, stringToSign)).toHex();
}

function canonicalRequest({ method, url, path, headers, signedHeaders, payloadHash }: Canonical): string {
  const names = [...signedHeaders].sort();
  const value = (name: string) =>
    name === "host" ? url.host : (headers.get(name) ?? "").replace(/\s+/g, " ");
  return [
    method,
    path ?? encode(decode(url.pathname)).replaceAll("%2F", "/"),
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${value(name)}`),
    "",
    names.join(";"),
    payloadHash,
  ].join("\n");
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map((pair) => pair.map(encode))
    .sort(([a = "", x = ""], [b = "", y = ""]) => order(a, b) || order(x, y))
    .map((pair) => pair.join("="))
    .join("&");
}

/** AWS's UriEncode: everything but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // No encoding of anything: the router refuses it, whoever has signed it.
    return path;
  }
}

/** By byte: what has been encoded is ASCII. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function hmac(key: BufferSource, text: string): Promise<ArrayBuffer> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, new TextEncoder().encode(text));
}
