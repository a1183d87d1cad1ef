// Answers of the API: JSON, and never kept by a cache, because all of it changes with the next push.

export function json(request: Request, value: unknown): Response {
  const body = new TextEncoder().encode(JSON.stringify(value));
  const headers = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Content-Length": `${body.byteLength}`,
  };
  return new Response(request.method === "HEAD" ? null : body, { headers });
}
