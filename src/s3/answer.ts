// Successful answers to S3 clients.

/**
 * Never cached, and never compressed on the way (RFC 9111, section 5.2.2.6): rclone accepts gzip for objects, and reads
 * documents as they come.
 */
export const UNTOUCHED = "no-store, no-transform";

/** An XML document. */
export function xmlResponse(document: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(document, {
    headers: { "Content-Type": "application/xml", "Cache-Control": UNTOUCHED, ...headers },
  });
}

/**
 * The answer to a signed PUT as S3's: 200, which is 201 for others, and no text. The AWS CLI parses text as XML; mc and
 * minio-py take any other status for a failure.
 */
export function asPutObject(request: Request, response: Response): Response {
  if (request.method !== "PUT") return response;
  const headers = new Headers(response.headers);
  headers.delete("Content-Type");
  return new Response(null, { status: response.status === 201 ? 200 : response.status, headers });
}
