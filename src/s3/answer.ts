// The answers that S3 clients get and that are no refusals.

/** An XML document; never cached, because all of them tell of what is under way or changes. */
export function xmlResponse(document: string): Response {
  return new Response(document, {
    headers: { "Content-Type": "application/xml", "Cache-Control": "no-store" },
  });
}

/** What a signed PUT is answered with: nothing. The AWS CLI takes any text for XML, and an upload for failed. */
export function withoutText(request: Request, response: Response): Response {
  return request.method === "PUT" ? new Response(null, response) : response;
}
