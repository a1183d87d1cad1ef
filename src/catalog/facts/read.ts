// Reading a NAR to learn what it contains: once for each object, however many ask at the same time.
import { bucketOperation } from "../../bucket/operation.ts";
import { type Facts, mergeContent } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { attemptsOf, beginAttempt, endAttempt, factsOf, saveFacts } from "../rows/nars.ts";
import { type Unpacked, unpack } from "./unpack.ts";
import { addressKey, type Claim, verdictOf } from "./verdict.ts";

/**
 * Readings that may fail to end. A reading that the platform kills (CPU time, memory) leaves its attempt behind: the
 * third one would most likely be killed, too.
 */
const MAX_ATTEMPTS = 2;
const NEVER_ENDS =
  "reading it has failed to end twice: it takes more CPU time or memory than the plan of this Worker gives";
/** Milliseconds between two pieces of a NAR while other calls arrive: reading takes a small part of the object's time. */
const BUSY_PAUSE_MS = 50;

export interface Reading {
  readonly facts: Facts;
  /** Of the object that the facts are of, where there are any. */
  readonly etag: string | undefined;
  /** The JSON of `<hash>.ls`, where the cache makes listings and this one can be made. */
  readonly listing?: string;
}

/**
 * Reads a NAR as far as these claims need it, or all of it again where `isDeep`; `undefined` where its object is gone.
 * One class B operation, and one more for each further compression that is claimed. Throws what the bucket throws.
 */
export function readContent(
  c: CatalogContext,
  key: string,
  claims: readonly Claim[],
  isDeep = false,
): Promise<Reading | undefined> {
  const read = () => readNow(c, key, claims, isDeep);
  // A reading in flight may have other claims: what these need is read after it.
  const reading = (c.readings.get(key) ?? Promise.resolve()).then(read, read);
  c.readings.set(key, reading);
  return reading.finally(() => {
    if (c.readings.get(key) === reading) c.readings.delete(key);
  });
}

async function readNow(
  c: CatalogContext,
  key: string,
  claims: readonly Claim[],
  isDeep: boolean,
): Promise<Reading | undefined> {
  const known = factsOf(c, key);
  let facts = known?.facts ?? {};
  let etag = known?.etag;
  let listing: string | undefined;
  const isOpen = (claim: Claim) => {
    const content = facts[claim.compression];
    return (
      verdictOf(facts, claim).kind === "waiting" || (content?.kind === "nar" && content.isUnread === true)
    );
  };
  for (let open = isDeep ? claims : claims.filter(isOpen); open.length > 0; open = claims.filter(isOpen)) {
    const compression = open[0]?.compression ?? "none";
    const object = await bucketOperation("get", () => c.bucket.get(key));
    if (object === null) return undefined;
    const sameCompression = open.filter((claim) => claim.compression === compression);
    const unpacked = await attempt(c, key, object.body, sameCompression);
    listing ??= unpacked.listing;
    const asked = sameCompression.flatMap((claim) => addressKey(claim) ?? []);
    // Of another object nothing is known.
    const earlier = object.etag === etag ? facts : {};
    facts = { ...earlier, [compression]: mergeContent(earlier[compression], unpacked.content, asked) };
    etag = object.etag;
    saveFacts(c, key, { facts, etag });
  }
  return { facts, etag, ...(listing !== undefined && { listing }) };
}

async function attempt(
  c: CatalogContext,
  key: string,
  body: ReadableStream<Uint8Array>,
  claims: readonly Claim[],
): Promise<Unpacked> {
  if (attemptsOf(c, key) >= MAX_ATTEMPTS) {
    await body.cancel();
    // A deep check tries again.
    endAttempt(c, key);
    return { content: { kind: "unverifiable", reason: NEVER_ENDS } };
  }
  beginAttempt(c, key);
  try {
    return await bucketOperation("get", () =>
      unpack(body, claims, {
        listing: c.config.listings,
        pause: async () => void (await c.wait(c.isBusy() ? BUSY_PAUSE_MS : 0)),
      }),
    );
  } finally {
    // A reading that the platform kills does not come here.
    endAttempt(c, key);
  }
}
