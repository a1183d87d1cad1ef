// CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): what everybody may read, scripts of other sites may, too. Only
// `*` is ever sent, with which a browser gives them no answer to a request with its user's credentials.

/** Seconds for which a browser remembers the answer to a preflight; Chromium takes 7200 at most. */
const MAX_AGE_S = 7200;
const READS: readonly (string | null)[] = ["GET", "HEAD"];

/** Whether, by OPTIONS, a browser asks if a script of another site may read this path. It sends no credential with that. */
export function isPreflightOfRead(headers: Headers): boolean {
  return headers.has("Origin") && READS.includes(headers.get("Access-Control-Request-Method"));
}

/** The answer that allows it, with {@link allowEveryOrigin}. `*` allows every header but Authorization. */
export function preflightAllowed(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "Access-Control-Allow-Methods": "GET, HEAD",
      "Access-Control-Allow-Headers": "*",
      "Access-Control-Max-Age": `${MAX_AGE_S}`,
    },
  });
}

/**
 * Lets scripts of every site read an answer with its headers, such as ETag and Content-Range, whatever the request's
 * origin: shared caches may keep it for all.
 */
export function allowEveryOrigin(headers: Headers): void {
  headers.set("Access-Control-Allow-Origin", "*");
  headers.set("Access-Control-Expose-Headers", "*");
}
