// Answers of the API: JSON, never cached, because the next push changes it.

/** Status 202 (RFC 9110, section 15.3.3): `location` tells how far the work is. */
export function accepted(request: Request, value: unknown, location: string): Response {
  const { body, headers } = json(request, value);
  const answer = new Response(body, { status: 202, headers });
  answer.headers.set("Location", location);
  return answer;
}

export function json(request: Request, value: unknown): Response {
  const body = new TextEncoder().encode(JSON.stringify(value));
  const headers = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Content-Length": `${body.byteLength}`,
  };
  return new Response(request.method === "HEAD" ? null : body, { headers });
}
