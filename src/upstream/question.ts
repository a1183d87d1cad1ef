// One question to an upstream over HTTP: its narinfo of a path, within limits of time and size. No credential is sent and
// no redirect followed.
import { NARINFO } from "../bucket/kinds.ts";
import { DAY_S } from "./remembered.ts";
import { unreachable } from "./unreachable.ts";

/** Milliseconds for connecting, head and body together. */
export const QUESTION_TIMEOUT_MS = 2000;

/** Says that a cache of this kind asks: it must not ask its own upstreams, which could be the asker. */
export const ASKED_BY_CACHE = "Nix-Cache-Question";

/** The platform keeps a narinfo, and nothing else, for all isolates of a place. */
const KEPT = { cacheEverything: true, cacheTtlByStatus: { "200-299": DAY_S, "300-599": 0 } };

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type Reply =
  | { readonly kind: "narinfo"; readonly text: string }
  | { readonly kind: "absent" }
  /** An answer that is no narinfo: it does not have the path. */
  | { readonly kind: "garbage"; readonly why: string }
  /** It is down, has an outage or is too slow. */
  | { readonly kind: "failed"; readonly why: string }
  /** The platform lets this invocation send no further request. */
  | { readonly kind: "not-asked" };

/** `isFresh`: the platform's cache does not answer. Never throws. */
export async function askForNarInfo(
  fetcher: Fetch,
  upstream: string,
  hash: string,
  isFresh = false,
): Promise<Reply> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), QUESTION_TIMEOUT_MS);
  try {
    const response = await fetcher(`${upstream}/${hash}.narinfo`, {
      headers: { Accept: "text/x-nix-narinfo", "User-Agent": "nix-cache", [ASKED_BY_CACHE]: "1" },
      redirect: "manual",
      ...(isFresh ? { cache: "no-store" } : { cf: KEPT }),
      signal: abort.signal,
    });
    if (response.status === 200) return await readReply(response, abort.signal);
    await response.body?.cancel();
    // S3 says 403 for an object that is not there to those who may not list the bucket.
    if ([403, 404, 410].includes(response.status)) return { kind: "absent" };
    const isOutage = response.status >= 500 || response.status === 429;
    return { kind: isOutage ? "failed" : "garbage", why: `it answered ${response.status}` };
  } catch (error) {
    if (abort.signal.aborted) return { kind: "failed", why: `no answer within ${QUESTION_TIMEOUT_MS} ms` };
    if (error instanceof Error && /too many subrequests/i.test(error.message)) return { kind: "not-asked" };
    return { kind: "failed", why: `it ${unreachable(error)}` };
  } finally {
    clearTimeout(timer);
  }
}

/** Reads up to the limit, without trusting Content-Length. */
async function readReply(response: Response, signal: AbortSignal): Promise<Reply> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let size = 0;
  let text = "";
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (size > NARINFO.maxBytes) return { kind: "garbage", why: `more than ${NARINFO.maxBytes} bytes` };
    try {
      text += decoder.decode(chunk, { stream: true });
    } catch {
      return { kind: "garbage", why: "no UTF-8" };
    }
  }
  signal.throwIfAborted();
  return { kind: "narinfo", text };
}
