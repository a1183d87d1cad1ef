// Decides which narinfo a publication writes: the stored one with the signatures of the new one, or the new one.
import { inspectNar, type NarState, recentNar, type WholeNar } from "../../bucket/stored-nar.ts";
import type { RecentNar } from "../../contract/uploads.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { KnownFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { verifiedInTime } from "../facts/in-time.ts";
import { INLINE_FILE_BYTES, type Learnt, learnContent } from "../facts/learn.ts";
import type { Publication } from "../publication.ts";
import { Refused } from "../refuse.ts";
import { queueNar } from "../rows/nar-queue.ts";
import { isAsAnnounced } from "../rows/nars.ts";
import { isIncomplete, missingNames, missingReferences as unknownPaths } from "../rows/paths.ts";
import { earlierPublications } from "../rows/publications.ts";
import { importPathFromBucket } from "./import.ts";
import { type Merge, mergeNarInfo } from "./merge.ts";
import { readable } from "./published.ts";
import { hasSameSignatures, textOf, withSignatures } from "./signatures.ts";
import type { StoredNarInfo } from "./write-narinfo.ts";

/** Missing references that one request looks up in the bucket before it refuses a path: a bound on what refusals cost. */
export const MAX_LOOKUPS = 200;
/** Missing references that a refusal names. */
const MAX_NAMED = 5;

export interface Push {
  readonly publication: Publication;
  /** Whether all references were here or in an upstream when the publication began, after so many deletions. */
  readonly wereHere: { readonly is: boolean; readonly deletions: number };
  /** How many references the request may still look up in the bucket; at first {@link MAX_LOOKUPS}. */
  readonly lookups: { left: number };
  /** The NAR that was put into the bucket just now, as the Worker remembers it. */
  readonly recent?: RecentNar | undefined;
}

export interface Decision {
  readonly info: NarInfo;
  /** Of `info`. */
  readonly text: string;
  /** Lower-case hex, where it is known for certain. */
  readonly narSha256?: string;
  /** What has just been found out of the NAR's content. */
  readonly known?: KnownFacts;
  /** Whether the NAR is still to be read. */
  readonly isQueued: boolean;
  readonly isIncomplete: boolean;
  /** Another build is there already, and is kept. */
  readonly keepsExisting: boolean;
}

/**
 * What the bucket should hold after a push of `incoming`, with its publication. Throws
 * {@link Refused}: hash-taken, broken-nar, false-nar, unverifiable-nar, being-verified, missing-references, not-indexed,
 * put-off or narinfo-too-large.
 */
export async function decide(
  c: CatalogContext,
  push: Push,
  incoming: NarInfo,
  stored: StoredNarInfo | undefined,
): Promise<Decision> {
  const existing = stored && readable(stored.text, c.config.storeDir);
  if (stored === undefined || existing === undefined) return takeIncoming(c, push, incoming);
  const merge = mergeNarInfo(existing, incoming);
  const kept = await keepExisting(c, incoming, stored.text, existing, merge);
  if (kept !== undefined) return kept;
  // The NAR of the existing narinfo is gone, damaged or false: only its signatures survive.
  const { signatures } = merge.kind === "same" ? merge.info : incoming;
  return takeIncoming(c, push, { ...incoming, signatures });
}

/** The narinfo that is there, with what the new one adds; `undefined` where its NAR is gone, damaged or false. */
async function keepExisting(
  c: CatalogContext,
  incoming: NarInfo,
  text: string,
  existing: NarInfo,
  merge: Merge,
): Promise<Decision | undefined> {
  const keepsExisting = merge.kind === "differs";
  // Reject a differing build only if the stored NAR is whole.
  const nar = await inspectNar(c.bucket, existing, {
    hashUnknown: keepsExisting,
    firstBytes: INLINE_FILE_BYTES,
  });
  if (nar.kind !== "whole") return undefined;
  const [path, stored] = [incoming.storePath.baseName, existing.storePath.baseName];
  if (path !== stored) throw new Refused({ kind: "hash-taken", path, stored });
  let learnt = await learnContent(c, existing, nar);
  // The push has another NAR, or unpacks the same one in another way. Which one is right shows when the stored one is read.
  const isSameFile = existing.url === incoming.url && existing.compression === incoming.compression;
  const hasRival = keepsExisting || !isSameFile;
  if (hasRival && learnt.verdict.kind === "waiting") learnt = await verifiedInTime(c, existing);
  if (hasRival && learnt.verdict.kind === "unverifiable" && (await isBetter(c, incoming, merge)))
    return undefined;
  if (learnt.verdict.kind === "false") {
    // Where this push does not replace the narinfo, the alarm removes it.
    queueNar(c, narPlaceOf(existing.url).key);
    c.wakeForVerification();
    return undefined;
  }
  // The keys may have changed since a narinfo was written that is kept.
  const unsigned = keepsExisting ? existing : complete(merge.info, nar);
  const info = await withSignatures(c, unsigned, () => learnt.verdict);
  return {
    info,
    text: keepsExisting && hasSameSignatures(info, existing) ? text : textOf(info),
    ...narSha256(nar),
    ...contentOf(learnt),
    isIncomplete: isIncomplete(c, existing),
    keepsExisting,
  };
}

/**
 * Whether the new NAR is verified, where the stored one cannot be: with the same claim it is the one to serve, and
 * content that has the path's own address can be no other. It then takes the place of the stored one, and is looked at
 * a second time as every narinfo is that comes in.
 */
async function isBetter(c: CatalogContext, incoming: NarInfo, merge: Merge): Promise<boolean> {
  if (merge.kind === "differs" && incoming.ca === undefined) return false;
  const nar = await inspectNar(c.bucket, incoming, { hashUnknown: true, firstBytes: INLINE_FILE_BYTES });
  if (nar.kind !== "whole") return false;
  let learnt = await learnContent(c, incoming, nar);
  if (learnt.verdict.kind === "waiting") learnt = await verifiedInTime(c, incoming);
  return learnt.verdict.kind === "verified";
}

async function takeIncoming(c: CatalogContext, push: Push, incoming: NarInfo): Promise<Decision> {
  const path = incoming.storePath.baseName;
  const nar = await narOf(c, push, incoming);
  if (nar.kind === "broken") {
    // The edge may still cache this NAR and tell the next push to skip the upload.
    await c.purge([`/${nar.key}`]);
    throw new Refused({ kind: "broken-nar", path, nar: nar.key, reason: nar.reason });
  }
  const learnt = await contentToPublish(c, incoming, nar);
  const missing = await missingReferences(c, push, incoming);
  if (missing.length > 0 && !c.config.isOpen) {
    throw new Refused({
      kind: "missing-references",
      path,
      missing: missing.slice(0, MAX_NAMED),
      more: Math.max(missing.length - MAX_NAMED, 0),
      ...(c.config.upstreams.length > 0 && { askedUpstreams: true }),
    });
  }
  const info = await withSignatures(c, complete(incoming, nar), () => learnt.verdict);
  return {
    info,
    text: textOf(info),
    ...narSha256(nar),
    ...contentOf(learnt),
    isIncomplete: missing.length > 0,
    keepsExisting: false,
  };
}

/**
 * The bucket is not asked for a NAR that has just been put there, unless this catalog may have deleted it since: then its
 * row is gone or another. From here on the publication keeps it.
 */
async function narOf(c: CatalogContext, { recent }: Push, incoming: NarInfo): Promise<NarState> {
  const isHere =
    recent !== undefined &&
    recent.key === narPlaceOf(incoming.url).key &&
    isAsAnnounced(c, recent.key, recent.announced);
  const whole = isHere ? recentNar(recent, incoming) : undefined;
  return whole ?? inspectNar(c.bucket, incoming, { hashUnknown: true, firstBytes: INLINE_FILE_BYTES });
}

/** What is known of the NAR's content, as far as it has to be before its narinfo is served. */
async function contentToPublish(c: CatalogContext, incoming: NarInfo, nar: WholeNar): Promise<Learnt> {
  let learnt = await learnContent(c, incoming, nar);
  const path = incoming.storePath.baseName;
  const key = narPlaceOf(incoming.url).key;
  if (learnt.verdict.kind === "false") {
    throw new Refused({ kind: "false-nar", path, nar: key, reason: learnt.verdict.reason });
  }
  if (c.config.verify !== "before" || (learnt.verdict.kind === "verified" && !learnt.isQueued)) return learnt;
  learnt = await verifiedInTime(c, incoming);
  const { verdict } = learnt;
  if (verdict.kind === "false") {
    throw new Refused({ kind: "false-nar", path, nar: key, reason: verdict.reason });
  }
  if (verdict.kind === "unverifiable") {
    throw new Refused({ kind: "unverifiable-nar", path, nar: key, reason: verdict.reason });
  }
  // The object was replaced or deleted while it was read.
  if (verdict.kind === "waiting") throw new Refused({ kind: "being-verified", path, nar: key });
  return learnt;
}

function contentOf({ known, isQueued }: Learnt): Pick<Decision, "known" | "isQueued"> {
  return { isQueued, ...(known !== undefined && { known }) };
}

/** With FileHash and FileSize, which Nix up to 2.34 asserts; the client or another tool may have left them out. */
function complete(info: NarInfo, { fileHash, fileSize }: WholeNar): NarInfo {
  return { ...info, fileHash: fileHash ?? info.fileHash ?? info.narHash, fileSize };
}

function narSha256({ fileHash }: WholeNar): Pick<Decision, "narSha256"> {
  return fileHash === undefined ? {} : { narSha256: fileHash.bytes.toHex() };
}

/**
 * Base names of the references that are neither in this cache nor in an upstream. One that the catalog does not know may
 * be there all the same (a bucket filled by another tool, a catalog being rebuilt), or an earlier publication may be writing
 * it now.
 */
async function missingReferences(
  c: CatalogContext,
  { publication, wereHere, lookups: allowed }: Push,
  info: NarInfo,
): Promise<string[]> {
  // One look at each reference, where all are here: rows read are billed and limited, too.
  if (wereHere.is && wereHere.deletions === c.deletions.count) return [];
  const names = missingNames(c, info);
  const unknown = unknownPaths(c, names.map(hashPart));
  // What is known under another name is not awaited.
  if (unknown.length === 0) return names;
  await earlierPublications(c, publication, unknown);
  const lookups = unknownPaths(c, unknown);
  const first = lookups.slice(0, MAX_LOOKUPS);
  if (first.length > allowed.left) throw new Refused({ kind: "put-off", path: info.storePath.baseName });
  allowed.left -= first.length;
  for (const hash of first) await importPathFromBucket(c, hash);
  // All of the first are in the bucket, so the others may be, too.
  if (lookups.length > MAX_LOOKUPS && unknownPaths(c, first).length === 0) {
    throw new Refused({ kind: "not-indexed" });
  }
  return missingNames(c, info);
}

function hashPart(baseName: string): string {
  return baseName.slice(0, 32);
}
