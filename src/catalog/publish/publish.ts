// Publishing a narinfo: the steps of "Publishing" that need to know what else is in the cache. The order is safe at
// every line: the intention is durable before the bucket is touched, the narinfo is written when its NAR and its
// references are there and protected, and the index follows the bucket.

import { verifyNar } from "../../bucket/stored-nar.ts";
import type { PublishOutcome } from "../../contract/paths.ts";
import { formatHash, type Hash } from "../../nix/hash.ts";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { earlierPublications, isBeingDeleted, type Needs, setNeeds } from "../rows/intents.ts";
import {
  indexPath,
  isIncomplete,
  missingNames,
  missingPaths,
  pathRow,
  referenceHashes,
} from "../rows/paths.ts";
import { touchPaths } from "./last-use.ts";
import { mergeNarInfo } from "./merge.ts";
import { inspectPublished, readable, readPublished } from "./published.ts";
import { resolveExpired, resolveKey } from "./resolve.ts";
import { textOf, withSignatures } from "./signatures.ts";
import { type Publication, publishing, type StoredNarInfo, writeNarInfo } from "./write-narinfo.ts";

/** How often the bucket may turn out to hold something else than the catalog knew, before the client is told. */
const MAX_ATTEMPTS = 4;
/** Missing references that are looked up in the bucket before a path is refused; a bound on what a refusal costs. */
const MAX_LOOKUPS = 200;
/** Missing references that a refusal names. */
const MAX_NAMED = 5;

/** Publishes a narinfo that has been parsed and found trustworthy. Throws {@link Refused}. */
export async function publish(c: CatalogContext, text: string, pushedBy: string): Promise<PublishOutcome> {
  const incoming = parseNarInfo(text, c.config.storeDir);
  const { hash } = incoming.storePath;
  await resolveExpired(c);
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    const row = pathRow(c, hash);
    const base = row && { text: row.narinfo, etag: row.etag, firstPush: row.first_push };
    return publishing(c, hash, needsOf(c, incoming, base), (publication) =>
      publishLocked(c, { incoming, pushedBy, publication }, base),
    );
  });
}

interface Pushed {
  readonly incoming: NarInfo;
  readonly pushedBy: string;
  readonly publication: Publication;
}

interface Base extends StoredNarInfo {
  /** Milliseconds since the epoch; absent where an unreadable narinfo is to be replaced. */
  readonly firstPush?: number;
}

/** What a narinfo that may be written or kept needs. */
function needsOf(c: CatalogContext, incoming: NarInfo, base: Base | undefined): Needs {
  const infos = [incoming, (base && readable(base.text, c.config.storeDir)) ?? incoming];
  return {
    nars: [...new Set(infos.map((info) => narKeyOfUrl(info.url)))],
    references: [...new Set(infos.flatMap(referenceHashes))],
  };
}

async function publishLocked(
  c: CatalogContext,
  pushed: Pushed,
  known: Base | undefined,
): Promise<PublishOutcome> {
  const { incoming, pushedBy, publication } = pushed;
  const { hash } = incoming.storePath;
  let base = known;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const needs = needsOf(c, incoming, base);
    if (base !== known) setNeeds(c, publication.sequence, needs);
    // From here on no deletion of these begins; one that began before must be over before anybody looks for them.
    for (const nar of needs.nars) await c.locks.run(nar, () => resolveKey(c, nar));
    const { isFirstBuild, ...path } = await decide(c, pushed, base);
    const push = { pushedBy, firstPush: base?.firstPush ?? c.now() };
    const written = await writeNarInfo(c, publication, hash, path.text, base, push);
    if (written !== undefined) {
      c.transaction(() => {
        if (isFirstBuild) {
          recordDifferingBuild(c, incoming, pushedBy);
          touchPaths(c, [hash]);
        }
        if (!isFirstBuild || written.isNew || base !== known) {
          indexPath(c, { ...path, ...written, ...push });
        }
      });
      if (base !== undefined && written.isNew) await c.purge([`/${hash}.narinfo`]);
      publication.unconfirmed = false;
      if (isFirstBuild) return "first-build-stays";
      if (base === undefined) return "created";
      return written.isNew ? "updated" : "unchanged";
    }
    // The bucket holds something that the catalog did not know: written by another tool, or gone.
    const found = await inspectPublished(c, hash);
    base =
      found && ("unreadable" in found ? { text: "", etag: found.etag } : { ...found, read: found.uploaded });
  }
  throw new Refused({ kind: "modified-concurrently", key: `${hash}.narinfo` });
}

interface Decision {
  readonly info: NarInfo;
  /** Of `info`. */
  readonly text: string;
  readonly narSha256?: string;
  readonly isIncomplete: boolean;
  /** Another build is there already, and stays as it is. */
  readonly isFirstBuild: boolean;
}

/** Steps 2, 4 and 5: what the bucket should hold. Throws 409 where the NAR or a reference is not there. */
async function decide(
  c: CatalogContext,
  { incoming, publication }: Pushed,
  base: Base | undefined,
): Promise<Decision> {
  const stored = base && readable(base.text, c.config.storeDir);
  const merge = stored && mergeNarInfo(stored, incoming);
  if (base !== undefined && stored !== undefined && merge !== undefined) {
    // Another build is turned away only by one that is certainly whole.
    const state = await verifyNar(c.bucket, stored, merge.kind === "differs");
    if (state.kind === "whole") {
      const { baseName } = stored.storePath;
      if (baseName !== incoming.storePath.baseName) {
        throw new Refused({ kind: "hash-taken", path: incoming.storePath.baseName, stored: baseName });
      }
      const isFirstBuild = merge.kind === "differs";
      const info = isFirstBuild ? stored : await withSignatures(c, complete(merge.info, state));
      return {
        info,
        text: isFirstBuild ? base.text : textOf(info),
        ...(state.fileHash && { narSha256: state.fileHash.bytes.toHex() }),
        isIncomplete: isIncomplete(c, stored),
        isFirstBuild,
      };
    }
  }
  const state = await verifyNar(c.bucket, incoming, true);
  if (state.kind === "broken") {
    // The edge may still have it, and would tell the next push that it need not be sent.
    await c.purge([`/${state.key}`]);
    throw new Refused({
      kind: "broken-nar",
      path: incoming.storePath.baseName,
      nar: state.key,
      reason: state.reason,
    });
  }
  const missing = await missingReferences(c, incoming, publication.sequence);
  if (missing.length > 0 && !c.config.isOpen) throw missingReferencesRefusal(incoming, missing);
  // The NAR of the stored narinfo is gone or damaged: the new one replaces it, and only the signatures survive.
  const signatures = merge?.kind === "same" ? merge.info.signatures : incoming.signatures;
  const info = await withSignatures(c, complete({ ...incoming, signatures }, state));
  return {
    info,
    text: textOf(info),
    ...(state.fileHash && { narSha256: state.fileHash.bytes.toHex() }),
    isIncomplete: missing.length > 0,
    isFirstBuild: false,
  };
}

/** With FileHash and FileSize, which Nix up to 2.34 asserts, whatever the client or another tool has left out. */
function complete(info: NarInfo, { fileHash, fileSize }: { fileHash?: Hash; fileSize: number }): NarInfo {
  return { ...info, fileHash: fileHash ?? info.fileHash ?? info.narHash, fileSize };
}

/**
 * Step 4: base names of the references that are not in this cache. One that the catalog does not know may be
 * there all the same (a bucket filled by another tool, a catalog being rebuilt), or be on its way.
 */
async function missingReferences(c: CatalogContext, info: NarInfo, sequence: number): Promise<string[]> {
  const unknown = missingPaths(c, referenceHashes(info));
  if (unknown.length === 0) return missingNames(c, info);
  await earlierPublications(c, sequence, unknown);
  const lookups = missingPaths(c, unknown);
  for (const hash of lookups.slice(0, MAX_LOOKUPS)) await importPathFromBucket(c, hash);
  if (lookups.length > MAX_LOOKUPS && missingPaths(c, lookups.slice(0, MAX_LOOKUPS)).length === 0) {
    // All that was looked for is there, so the rest may be, too: nobody has looked.
    throw new Refused({ kind: "not-indexed" });
  }
  return missingNames(c, info);
}

/** Takes a path of the bucket into the catalog. True where it is there. */
export async function importPathFromBucket(c: CatalogContext, hash: string): Promise<boolean> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const deletions = c.deletions.count;
    const published = await readPublished(c, hash);
    // A row is newer than what was read: a publication may have written another narinfo meanwhile.
    if (pathRow(c, hash) !== undefined) return true;
    if (published === undefined || isBeingDeleted(c, hash)) return false;
    // What was read may have been deleted while it travelled here: only an undisturbed look counts.
    if (c.deletions.count !== deletions) continue;
    c.transaction(() => indexPath(c, { ...published, isIncomplete: isIncomplete(c, published.info) }));
    return true;
  }
  return false;
}

function missingReferencesRefusal({ storePath }: NarInfo, missing: readonly string[]): Refused {
  return new Refused({
    kind: "missing-references",
    path: storePath.baseName,
    missing: missing.slice(0, MAX_NAMED),
    more: Math.max(missing.length - MAX_NAMED, 0),
  });
}

/** The first build of a path stays; that another one exists is worth knowing: the path is not reproducible. */
function recordDifferingBuild(c: CatalogContext, info: NarInfo, pushedBy: string): void {
  c.sql.exec(
    `INSERT INTO differing_builds VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (hash, nar_hash) DO UPDATE SET last_push = excluded.last_push, pushed_by = excluded.pushed_by`,
    info.storePath.hash,
    formatHash(info.narHash),
    info.narSize,
    c.now(),
    c.now(),
    pushedBy,
  );
}
