// Successful answers to S3 clients.

/** An XML document; never cached. */
export function xmlResponse(document: string): Response {
  return new Response(document, {
    headers: { "Content-Type": "application/xml", "Cache-Control": "no-store" },
  });
}

/** Removes the text from the answer to a signed PUT: the AWS CLI parses it as XML and reports a failed upload. */
export function withoutText(request: Request, response: Response): Response {
  return request.method === "PUT" ? new Response(null, response) : response;
}
