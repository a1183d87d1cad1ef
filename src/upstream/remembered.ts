// Answers of upstreams that are kept: for a day what was found, for an hour what was not. The platform's cache keeps them
// for all isolates of a place, the memory of this isolate the last ones, where the platform's cache does nothing
// (workers.dev). Answers are kept as they came and are checked again.

const DAY_S = 24 * 3600;
const HOUR_S = 3600;
/** Characters of the narinfos in memory. A narinfo has one to two thousand. */
const MAX_MEMORY = 8 * 1024 * 1024;

/** The text of a narinfo, or that there is none. */
export type Kept = { readonly text: string } | "absent";

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

const ABSENT = "absent";

/** A failing cache has kept nothing. */
export async function kept(cache: PlatformCache, upstream: string, hash: string): Promise<Kept | undefined> {
  try {
    const response = await cache.match(keyOf(upstream, hash));
    if (response === undefined) return undefined;
    const text = await response.text();
    return text === ABSENT ? "absent" : { text };
  } catch {
    return undefined;
  }
}

export async function keep(
  cache: PlatformCache,
  upstream: string,
  hash: string,
  answer: Kept,
): Promise<void> {
  const seconds = answer === "absent" ? HOUR_S : DAY_S;
  const body = answer === "absent" ? ABSENT : answer.text;
  await cache.put(
    keyOf(upstream, hash),
    new Response(body, { headers: { "Cache-Control": `public, max-age=${seconds}` } }),
  );
}

/** No request goes there: `.invalid` names no host (RFC 2606). */
function keyOf(upstream: string, hash: string): string {
  return `https://upstream.invalid/${encodeURIComponent(upstream)}/${hash}`;
}
