// Reading a NAR to learn what it contains: once for each object, however many ask at the same time.
import { bucketOperation } from "../../bucket/operation.ts";
import { type Content, type Facts, mergeContent } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { factsOf, saveFacts } from "../rows/nar-facts.ts";
import { attemptsOf, beginAttempt, endAttempt } from "../rows/nar-queue.ts";
import { type Unpacked, unpack } from "./unpack.ts";
import { addressKey, type Claim, verdictOf } from "./verdict.ts";

/**
 * Readings that may fail to end. A reading that the platform kills (CPU time, memory) leaves its attempt behind: the
 * third one would most likely be killed, too.
 */
const MAX_ATTEMPTS = 2;
const NEVER_ENDS =
  "reading it has failed to end twice: it takes more CPU time or memory than the plan of this Worker gives";
/** Readings of one NAR in one invocation; each checks a few content addresses. */
export const MAX_READINGS = 4;
/**
 * The locks of a reading and of unpacking during a publication: the dictionaries of two files do not fit into the memory
 * of an object. Under the second no other lock is waited for.
 */
const READING = "reading";
const UNPACKING = "unpacking";
/** Milliseconds between two pieces of a NAR while other calls arrive: reading takes a small part of the object's time. */
const BUSY_PAUSE_MS = 50;

/** What is left. A reading that is necessary begins while there is something left of both. */
export interface ReadingBudget {
  readings: number;
  /** Of NARs, as their narinfos claim. */
  bytes: number;
}

export interface ReadingOptions {
  /** The NAR is read although its facts are known. */
  readonly isDeep?: boolean;
  /** Without one, it is read as often as the claims need it. */
  readonly budget?: ReadingBudget;
}

export interface Reading {
  /** All of them: the row may keep fewer content addresses. */
  readonly facts: Facts;
  /** Of the object that the facts are of, where there are any. */
  readonly etag: string | undefined;
  /** The JSON of `<hash>.ls`, where the cache makes listings and this one can be made. */
  readonly listing?: string;
  /** Whether the last look at the NAR could not say what it contains, whatever an earlier one has found. */
  readonly isUntold?: true;
}

/**
 * Reads a NAR as far as these claims need it and the budget allows; `undefined` where its object is gone. One class B
 * operation, and one more for each further compression and for every few content addresses that are claimed. Throws what
 * the bucket throws.
 */
export function readContent(
  c: CatalogContext,
  key: string,
  claims: readonly Claim[],
  options: ReadingOptions = {},
): Promise<Reading | undefined> {
  const read = () => readNow(c, key, claims, options);
  // A reading in flight may have other claims: what these need is read after it.
  const reading = (c.readings.get(key) ?? Promise.resolve()).then(read, read);
  c.readings.set(key, reading);
  return reading.finally(() => {
    if (c.readings.get(key) === reading) c.readings.delete(key);
  });
}

/** Unpacks a small file that is held; `undefined` while a NAR is being read, which may take all of the memory. */
export function unpackBeside(
  c: CatalogContext,
  file: Uint8Array,
  claim: Claim,
): Promise<Content | undefined> {
  return c.locks.run(UNPACKING, async () =>
    c.locks.isHeld(READING) ? undefined : (await unpack(file, [claim])).content,
  );
}

/** Whether the NAR has to be read (again) for a claim. */
export function isOpen(facts: Facts, claim: Claim): boolean {
  const content = facts[claim.compression];
  return verdictOf(facts, claim).kind === "waiting" || (content?.kind === "nar" && content.isUnread === true);
}

async function readNow(
  c: CatalogContext,
  key: string,
  claims: readonly Claim[],
  { isDeep = false, budget = unbounded() }: ReadingOptions,
): Promise<Reading | undefined> {
  const known = factsOf(c, key);
  let facts = known?.facts ?? {};
  let etag = known?.etag;
  let listing: string | undefined;
  let isUntold = false;
  const stillOpen = () => claims.filter((claim) => isOpen(facts, claim));
  for (let open = isDeep ? claims : stillOpen(); open.length > 0; open = stillOpen()) {
    if (budget.readings <= 0 || budget.bytes <= 0) break;
    const compression = open[0]?.compression ?? "none";
    const sameCompression = open.filter((claim) => claim.compression === compression);
    budget.readings--;
    budget.bytes -= Math.max(...sameCompression.map(({ narSize }) => narSize));
    const read = await c.locks.run(READING, () => readOnce(c, key, sameCompression));
    if (read === undefined) return undefined;
    listing ??= read.unpacked.listing;
    isUntold = read.unpacked.content.kind === "unverifiable";
    const asked = sameCompression.flatMap((claim) => addressKey(claim) ?? []);
    // Of another object nothing is known.
    const earlier = read.etag === etag ? facts : {};
    const content = mergeContent(earlier[compression], read.unpacked.content, asked);
    facts = { ...earlier, [compression]: content };
    etag = read.etag;
    saveFacts(c, key, { facts, etag });
  }
  return { facts, etag, ...(listing !== undefined && { listing }), ...(isUntold && { isUntold }) };
}

function unbounded(): ReadingBudget {
  return { readings: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
}

/** All claims are of one compression. `undefined` where the object is gone. */
async function readOnce(
  c: CatalogContext,
  key: string,
  claims: readonly Claim[],
): Promise<{ readonly unpacked: Unpacked; readonly etag: string } | undefined> {
  await c.locks.settled(UNPACKING);
  const object = await bucketOperation("get", () => c.bucket.get(key));
  if (object === null) return undefined;
  return { unpacked: await attempt(c, key, object.body, claims), etag: object.etag };
}

async function attempt(
  c: CatalogContext,
  key: string,
  body: ReadableStream<Uint8Array>,
  claims: readonly Claim[],
): Promise<Unpacked> {
  if (attemptsOf(c, key) >= MAX_ATTEMPTS) {
    await body.cancel();
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
  } catch (error) {
    // A reading that the platform kills does not come here. One that succeeds ends when its facts are saved.
    endAttempt(c, key);
    throw error;
  }
}
