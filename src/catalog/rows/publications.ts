// The table `publications`: recorded before a narinfo is written. Until its row goes, a publication protects its NARs, and
// until it has ended its references. The row of a path that is new outlives the publication for some seconds: the next
// alarm brings the row of its NAR up to date (`settlePublications`), so that the push has fewer rows to write.
//
// The table is read once, when the object starts; from then on memory has it all, so that a push reads none of its rows.
import { isAnswered } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import type { Publication } from "../publication.ts";
import { keptFigures, markFigures } from "./figures.ts";
import { insert } from "./insert.ts";
import { isLinked, linkPath } from "./nar-paths.ts";
import { savePublishedNar } from "./nars.ts";

export interface Needs {
  /** NAR keys that must not be deleted meanwhile. */
  readonly nars: readonly string[];
  /** Hash parts of paths that must not be deleted meanwhile. */
  readonly references: readonly string[];
}

/** Publications without an alarm to settle them, above which each settles its own NAR: a bound on memory. */
const MAX_ENDED = 2000;

function publicationsOf(c: CatalogContext): Map<number, Publication> {
  c.publications.all ??= new Map();
  if (!c.publications.isLoaded) {
    c.publications.isLoaded = true;
    load(c, c.publications.all);
  }
  return c.publications.all;
}

/**
 * Those of an earlier process. A path without a link to its NAR has been written by a publication that has ended and is not
 * settled: by the only one of that path in the table, if there is one.
 */
function load(c: CatalogContext, publications: Map<number, Publication>): void {
  const rows = c.sql.exec<{ sequence: number; hash: string; nars: string; refs: string; begun: number }>(
    "SELECT sequence, hash, nars, refs, begun FROM publications ORDER BY sequence",
  );
  const all = rows.toArray();
  const byHash = Map.groupBy(all, ({ hash }) => hash);
  for (const { sequence, hash, nars: listed, refs, begun } of all) {
    if (publications.has(sequence)) continue;
    const nars: string[] = JSON.parse(listed);
    const nar = narOf(c, hash);
    const isOnly = byHash.get(hash)?.length === 1;
    const isWritten = nar !== undefined && nars.includes(nar) && !isLinked(c, nar, hash);
    const state = isOnly && isWritten ? "ended" : "left";
    publications.set(sequence, { sequence, hash, nars, references: JSON.parse(refs), begun, state });
  }
}

/** Takes in what another process, or a transaction that was undone, has left in the table. */
export function reloadPublications(c: CatalogContext): void {
  load(c, publicationsOf(c));
}

/** It is durable before any request leaves the object: the object's output gate holds them back. */
export function openPublication(c: CatalogContext, hash: string, needs: Needs): Publication {
  const publications = publicationsOf(c);
  const begun = c.now();
  const { sequence } = insert<{ sequence: number }>(
    c,
    "publications",
    { hash, ...columns(needs), begun },
    "RETURNING sequence",
  ).one();
  const publication: Publication = { sequence, hash, ...needs, begun, state: "open" };
  publications.set(sequence, publication);
  return publication;
}

/** Makes a publication protect other NARs and paths than before. */
export function setNeeds(c: CatalogContext, publication: Publication, needs: Needs): void {
  const { nars, refs } = columns(needs);
  c.sql.exec(
    "UPDATE publications SET nars = ?, refs = ? WHERE sequence = ?",
    ...[nars, refs, publication.sequence],
  );
  Object.assign(publication, needs);
}

function columns({ nars, references }: Needs) {
  return { nars: JSON.stringify(nars), refs: JSON.stringify(references) };
}

/** The bucket is not going to change because of it any more. */
export function endPublication(c: CatalogContext, publication: Publication): void {
  if (publication.nar === undefined) {
    clearPublications(c, [publication]);
    return;
  }
  publication.state = "ended";
  if (publicationsOf(c).size > MAX_ENDED) settlePublications(c);
  // An alarm may have come before the end.
  c.wakeForVerification();
}

/** A put has failed: the bucket may have the narinfo, or get it yet, unless it has responded with the failure. */
export function leavePublication(c: CatalogContext, publication: Publication, error: unknown): void {
  publication.state = "left";
  if (!isAnswered(error)) return;
  publication.begun = 0;
  c.sql.exec("UPDATE publications SET begun = 0 WHERE sequence = ?", publication.sequence);
}

export function clearPublications(c: CatalogContext, publications: readonly Publication[]): void {
  c.sql.exec(
    "DELETE FROM publications WHERE sequence IN (SELECT value FROM json_each(?))",
    JSON.stringify(publications.map(({ sequence }) => sequence)),
  );
  for (const { sequence } of publications) publicationsOf(c).delete(sequence);
}

/**
 * Brings the rows of NARs up to date whose paths have been published, or only that of the path with this hash part. Before
 * it these NARs seem to have no path.
 */
export function settlePublications(c: CatalogContext, hash?: string): void {
  const ended = [...publicationsOf(c).values()].filter(
    (own) => own.state === "ended" && (hash === undefined || own.hash === hash),
  );
  if (ended.length === 0) return;
  c.transaction(() => {
    // From here on no row says that what they have changed is not in the saved figures.
    if (keptFigures(c).isExact) markFigures(c);
    for (const publication of ended) settle(c, publication);
    c.sql.exec(
      "DELETE FROM publications WHERE sequence IN (SELECT value FROM json_each(?))",
      JSON.stringify(ended.map(({ sequence }) => sequence)),
    );
  });
  for (const { sequence } of ended) publicationsOf(c).delete(sequence);
}

/** Nothing, where the path has been deleted or replaced meanwhile: its NAR is released then. */
export function settle(c: CatalogContext, { hash, nars, nar }: Publication): void {
  const row = c.sql
    .exec<{ nar: string; file_size: number; last_push: number }>(
      "SELECT nar, file_size, last_push FROM paths WHERE hash = ?",
      hash,
    )
    .toArray()[0];
  if (row === undefined || !nars.includes(row.nar) || isLinked(c, row.nar, hash)) return;
  const known = nar?.key === row.nar ? nar : undefined;
  const isQueued = known?.isQueued ?? c.config.verify !== "off";
  const base = { key: row.nar, size: row.file_size, sha256: null, uploaded: row.last_push };
  savePublishedNar(c, { ...base, ...known, isQueued }, hash);
  linkPath(c, row.nar, hash);
  if (isQueued) c.wakeForVerification();
}

function narOf(c: CatalogContext, hash: string): string | undefined {
  return c.sql.exec<{ nar: string }>("SELECT nar FROM paths WHERE hash = ?", hash).toArray()[0]?.nar;
}

/** Publications of a path that crashed, or had no answer of the bucket. */
export function leftPublications(c: CatalogContext, hash: string): Publication[] {
  return [...publicationsOf(c).values()].filter((own) => own.state === "left" && own.hash === hash);
}

/** Hash parts of paths of which a publication was left before `cutoff` (milliseconds since the epoch). */
export function expiredPublications(c: CatalogContext, cutoff: number): string[] {
  const expired = [...publicationsOf(c).values()].filter(
    ({ state, begun }) => state === "left" && begun <= cutoff,
  );
  return [...new Set(expired.map(({ hash }) => hash))];
}

/** When the oldest publication began that has not ended, in milliseconds since the epoch. */
export function oldestPublication(c: CatalogContext): number | undefined {
  const times = unended(c).map(({ begun }) => begun);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether a publication of a path is in flight, or was left by a crash. */
export function isBeingPublished(c: CatalogContext, hash: string): boolean {
  return unended(c).some((publication) => publication.hash === hash);
}

/** Those of these paths that a publication changes or protects. */
export function publishedAmong(c: CatalogContext, hashes: readonly string[]): Set<string> {
  const named = new Set(unended(c).flatMap(({ hash, references }) => [hash, ...references]));
  return new Set(hashes.filter((hash) => named.has(hash)));
}

/** Hash parts of paths that refer to one and whose publication is in flight or not resolved. */
export function publishingReferrers(c: CatalogContext, hash: string): string[] {
  const referring = unended(c).filter((own) => own.hash !== hash && own.references.includes(hash));
  return [...new Set(referring.map((publication) => publication.hash))];
}

function unended(c: CatalogContext): Publication[] {
  return [...publicationsOf(c).values()].filter(({ state }) => state !== "ended");
}

/** Whether a publication relies on a NAR: in flight, not resolved, or not settled. */
export function isNarBeingPublished(c: CatalogContext, nar: string): boolean {
  return narsBeingPublished(c).has(nar);
}

/** All such NARs. */
export function narsBeingPublished(c: CatalogContext): Set<string> {
  return new Set([...publicationsOf(c).values()].flatMap(({ nars }) => nars));
}

/**
 * Resolves when those publications of these paths have ended that began before another. Cannot deadlock: a publication
 * waits only for earlier ones.
 */
export async function earlierPublications(
  c: CatalogContext,
  { sequence }: Publication,
  hashes: readonly string[],
): Promise<void> {
  const named = new Set(hashes);
  const earlier = [...publicationsOf(c).values()].filter(
    (own) => own.state === "open" && own.sequence < sequence && named.has(own.hash),
  );
  await Promise.all(earlier.map(({ done }) => done));
}
