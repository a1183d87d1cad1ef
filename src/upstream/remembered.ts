// Answers of upstreams that are kept: for a day what was found, for an hour what was not. The platform keeps what was found
// for all isolates of a place (`cf` of the question), and this isolate the last narinfos. What was not found is kept for
// readers only, in the platform's cache. Answers are kept as they came and are checked again.

export const DAY_S = 24 * 3600;
const HOUR_S = 3600;
/** Characters of the narinfos in memory. A narinfo has one to two thousand. */
const MAX_MEMORY = 8 * 1024 * 1024;

interface Entry {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Narinfos that were found. */
export class Memory {
  readonly #entries = new Map<string, Entry>();
  #size = 0;

  get(key: string, now: number): string | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > now && entry.until <= now + DAY_S * 1000) return entry.text;
    this.#delete(key, entry);
    return undefined;
  }

  put(key: string, text: string, now: number): void {
    const earlier = this.#entries.get(key);
    if (earlier !== undefined) this.#delete(key, earlier);
    this.#entries.set(key, { text, until: now + DAY_S * 1000 });
    this.#size += text.length;
    for (const [oldest, entry] of this.#entries) {
      if (this.#size <= MAX_MEMORY) break;
      this.#delete(oldest, entry);
    }
  }

  #delete(key: string, { text }: Entry): void {
    this.#entries.delete(key);
    this.#size -= text.length;
  }
}

/** The part of the platform's cache that is used here. */
export type PlatformCache = Pick<Cache, "match" | "put">;

/** Whether an upstream did not have a path within the last hour. A failing cache has kept nothing. */
export async function wasAbsent(cache: PlatformCache, upstream: string, hash: string): Promise<boolean> {
  try {
    const response = await cache.match(keyOf(upstream, hash));
    await response?.body?.cancel();
    return response !== undefined;
  } catch {
    return false;
  }
}

export async function keepAbsence(cache: PlatformCache, upstream: string, hash: string): Promise<void> {
  const headers = { "Cache-Control": `public, max-age=${HOUR_S}` };
  await cache.put(keyOf(upstream, hash), new Response("absent", { headers }));
}

/** No request goes there: `.invalid` names no host (RFC 2606). */
function keyOf(upstream: string, hash: string): string {
  return `https://upstream.invalid/${encodeURIComponent(upstream)}/${hash}`;
}
