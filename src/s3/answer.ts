// The answers of the S3 API that are no refusals.

/** An XML document; never cached, because all of them tell of what is under way or changes. */
export function xmlResponse(document: string): Response {
  return new Response(document, {
    headers: { "Content-Type": "application/xml", "Cache-Control": "no-store" },
  });
}
