// Answers of the API: JSON, never cached, because the next push changes it.

export function json(request: Request, value: unknown): Response {
  const body = new TextEncoder().encode(JSON.stringify(value));
  const headers = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Content-Length": `${body.byteLength}`,
  };
  return new Response(request.method === "HEAD" ? null : body, { headers });
}
