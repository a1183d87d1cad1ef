// Successful answers to S3 clients.

/** An XML document; never cached. */
export function xmlResponse(document: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(document, {
    headers: { "Content-Type": "application/xml", "Cache-Control": "no-store", ...headers },
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
