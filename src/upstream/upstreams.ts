// The upstreams of a cache: which of them has a path.
import { bucketFolder } from "../bucket/folder.ts";
import { NARINFO } from "../bucket/kinds.ts";
import { readText } from "../bucket/text.ts";
import type { Config } from "../config/config.ts";
import type { Upstream } from "../config/upstream.ts";
import type { Env } from "../env.ts";
import { logFailure } from "../http/errors.ts";
import type { NarInfo } from "../nix/narinfo.ts";
import { believe } from "./believe.ts";
import { Breaker } from "./breaker.ts";
import { askForNarInfo, type Fetch } from "./question.ts";
import { keepAbsence, Memory, type PlatformCache, wasAbsent } from "./remembered.ts";

/** Questions under way at once: the platform lets an invocation hold six connections. */
const CONCURRENCY = 6;

/** Paths that are asked of upstreams within one request. */
export const MAX_QUESTIONS = 1000;

export interface FoundPath {
  readonly upstream: Upstream;
  /** With an absolute URL; that of a cache of this Worker begins with a slash. */
  readonly info: NarInfo;
}

/** `not-asked`: the platform lets this invocation send no further request. */
export type Finding = FoundPath | "absent" | "not-asked";

/** What a failure of an upstream means. */
const CONSEQUENCES = { first: "the cache goes on without it", pauses: "it is not asked for a minute" };

export interface Asker {
  /**
   * What a pusher asks for and no upstream has, it has just built: such an answer is not kept, and one that was kept for
   * readers is not believed.
   */
  readonly isPusher: boolean;
  /** Whether the asker may read a private cache of this Worker. */
  readonly mayRead: (cacheName: string) => Promise<boolean>;
  /** Whether it must be there now: an answer that was kept is not believed. */
  readonly isDeleting?: boolean;
}

export interface Upstreams {
  readonly all: readonly Upstream[];
  /** Asks these upstreams at once; the first of them that has the path counts. Never rejects. */
  readonly find: (hash: string, asker: Asker, upstreams?: readonly Upstream[]) => Promise<Finding>;
}

/** What an isolate keeps of upstreams between requests. */
class UpstreamMemory {
  readonly narinfos = new Memory();
  readonly #breakers = new Map<string, Breaker>();

  breaker(url: string): Breaker {
    let breaker = this.#breakers.get(url);
    if (breaker === undefined) {
      breaker = new Breaker();
      this.#breakers.set(url, breaker);
    }
    return breaker;
  }
}

const memories = new WeakMap<Env, UpstreamMemory>();

function memoryOf(env: Env): UpstreamMemory {
  let memory = memories.get(env);
  if (memory === undefined) {
    memory = new UpstreamMemory();
    memories.set(env, memory);
  }
  return memory;
}

export interface Means {
  readonly fetch: Fetch;
  readonly cache: PlatformCache;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Lets work go on after the response. */
  readonly afterwards: (work: Promise<unknown>) => void;
}

/** The upstreams of one cache, asked within one request. */
export function upstreamsOf(
  env: Env,
  config: Config,
  afterwards: Means["afterwards"],
  means: Omit<Means, "afterwards"> = {
    fetch: (url, init) => fetch(url, init),
    cache: caches.default,
    now: Date.now,
  },
): Upstreams {
  const memory = memoryOf(env);
  const ask = (upstream: Upstream, hash: string, asker: Asker) =>
    upstream.own === undefined
      ? askRemote(upstream, hash, asker, config, memory, { ...means, afterwards })
      : askOwn(env.BUCKET, upstream, hash, asker, config);
  return {
    all: config.upstreams,
    find: async (hash, asker, upstreams = config.upstreams) => {
      const findings = await Promise.all(upstreams.map((upstream) => ask(upstream, hash, asker)));
      return (
        findings.find((finding) => typeof finding !== "string") ??
        (findings.includes("not-asked") ? "not-asked" : "absent")
      );
    },
  };
}

/** Which of many paths upstreams have, by hash part. */
export async function findAll(
  { all, find }: Upstreams,
  hashes: readonly string[],
  asker: Asker,
): Promise<ReadonlyMap<string, Finding>> {
  const findings = new Map<string, Finding>();
  const waiting = [...hashes];
  const worker = async () => {
    for (let hash = waiting.shift(); hash !== undefined; hash = waiting.shift()) {
      findings.set(hash, await find(hash, asker));
    }
  };
  // Each asks all upstreams. A question that waits for a connection behind a hanging one would count as failed, too.
  const workers = Math.max(Math.floor(CONCURRENCY / Math.max(all.length, 1)), 1);
  await Promise.all(Array.from({ length: workers }, worker));
  return findings;
}

async function askRemote(
  upstream: Upstream,
  hash: string,
  { isPusher, isDeleting = false }: Asker,
  { storeDir }: Config,
  memory: UpstreamMemory,
  { fetch, cache, now, afterwards }: Means,
): Promise<Finding> {
  const { url } = upstream;
  const key = `${url} ${hash}`;
  const remembered = isDeleting ? undefined : memory.narinfos.get(key, now());
  if (remembered !== undefined) {
    const believed = await believe(upstream, hash, remembered, storeDir);
    if ("info" in believed) return { upstream, info: believed.info };
  }
  if (!isPusher && (await wasAbsent(cache, url, hash))) return "absent";
  const breaker = memory.breaker(url);
  const begun = now();
  if (!breaker.admits(begun)) return "absent";
  const reply = await askForNarInfo(fetch, url, hash, isDeleting);
  if (reply.kind === "not-asked") return "not-asked";
  if (reply.kind === "failed") {
    const news = breaker.failed(now(), now() - begun);
    if (news !== undefined) console.warn(`upstream ${url}: ${reply.why}; ${CONSEQUENCES[news]}`);
    return "absent";
  }
  breaker.answered(now(), now() - begun);
  if (reply.kind === "absent") {
    if (!isPusher) {
      afterwards(logFailure("an upstream's answer was not kept", keepAbsence(cache, url, hash)));
    }
    return "absent";
  }
  const believed = reply.kind === "garbage" ? reply : await believe(upstream, hash, reply.text, storeDir);
  if (reply.kind === "garbage" || !("info" in believed)) {
    console.warn(`upstream ${url}: its narinfo of ${hash} ${"why" in believed ? believed.why : ""}`);
    return "absent";
  }
  memory.narinfos.put(key, reply.text, now());
  return { upstream, info: believed.info };
}

/** One class B operation. */
async function askOwn(
  bucket: R2Bucket,
  upstream: Upstream,
  hash: string,
  { mayRead }: Asker,
  { storeDir }: Config,
): Promise<Finding> {
  const { own } = upstream;
  if (own === undefined || (own.isPrivate && !(await mayRead(own.name)))) return "absent";
  try {
    const stored = await readText(bucketFolder(bucket, own.folder), `${hash}.narinfo`, NARINFO.maxBytes);
    if (stored === undefined || !("text" in stored)) return "absent";
    const believed = await believe(upstream, hash, stored.text, storeDir);
    return "info" in believed ? { upstream, info: believed.info } : "absent";
  } catch (error) {
    console.warn(`upstream ${upstream.url} cannot be read`, error);
    return "absent";
  }
}
