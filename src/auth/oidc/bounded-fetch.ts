// Fetches a small JSON document from an untrusted server.

/** Milliseconds for connecting, head and body together. */
export const FETCH_TIMEOUT_MS = 3000;

/** Bytes. Real key sets have some kilobytes; GitHub's, with certificates, 10 KB. */
export const MAX_DOCUMENT_BYTES = 128 * 1024;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Thrown by {@link fetchJson}; the message is one line. */
export class FetchError extends Error {}

/**
 * GETs a JSON object. Throws {@link FetchError} for anything but a complete 200 within the limits. Follows no
 * redirect: through an open redirect on the issuer's host an attacker could publish keys for it.
 */
export async function fetchJson(fetcher: Fetch, url: string): Promise<Record<string, unknown>> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
  try {
    const response = await fetcher(url, {
      headers: { Accept: "application/json", "User-Agent": "nix-cache" },
      redirect: "manual",
      signal,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new FetchError(`${url} answered ${response.status}`);
    }
    return parseObject(await readLimited(response, url, signal), url);
  } catch (error) {
    if (error instanceof FetchError) throw error;
    if (signal.aborted) throw new FetchError(`${url} did not answer within ${FETCH_TIMEOUT_MS} ms`);
    // The error's message may contain anything, so only its name is shown.
    throw new FetchError(`${url} cannot be reached (${error instanceof Error ? error.name : "error"})`);
  }
}

/** Reads up to the limit, without trusting Content-Length. */
async function readLimited(response: Response, url: string, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let size = 0;
  let text = "";
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (size > MAX_DOCUMENT_BYTES) throw new FetchError(`${url} is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  signal.throwIfAborted();
  return text + decoder.decode();
}

function parseObject(text: string, url: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FetchError(`${url} is not JSON`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new FetchError(`${url} is not a JSON object`);
}
