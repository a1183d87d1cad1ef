// The rows of paths and their references.
import { formatHash } from "../../nix/hash.ts";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";

export interface PathRow extends Record<string, SqlStorageValue> {
  hash: string;
  name: string;
  nar: string;
  narinfo: string;
  etag: string;
  first_push: number;
  last_push: number;
}

export interface IndexedPath {
  readonly info: NarInfo;
  /** The SHA-256 of its NAR object in lower-case hex, where it is known for certain. */
  readonly narSha256?: string;
  /** The narinfo as it is in the bucket. */
  readonly text: string;
  readonly etag: string;
  /** When it was written, in milliseconds since the epoch. */
  readonly uploaded: number;
  /** When a pusher last relied on it, where that is later than it was written. Milliseconds since the epoch. */
  readonly lastUsed?: number;
  /** In milliseconds since the epoch. */
  readonly firstPush: number;
  readonly pushedBy: string;
  /** References were missing when it was indexed, as an open cache and other tools allow. */
  readonly isIncomplete?: boolean;
}

export function pathRow(c: CatalogContext, hash: string): PathRow | undefined {
  return c.sql
    .exec<PathRow>(
      "SELECT hash, name, nar, narinfo, etag, first_push, last_push FROM paths WHERE hash = ?",
      hash,
    )
    .toArray()[0];
}

/** Which of these hash parts are not in the catalog, in their order and without duplicates. Any number of them. */
export function missingPaths(c: CatalogContext, hashes: readonly string[]): string[] {
  return c.sql
    .exec<{ value: string }>(
      "SELECT DISTINCT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM paths WHERE hash = value)",
      JSON.stringify(hashes),
    )
    .toArray()
    .map((row) => row.value);
}

/** Whether a narinfo refers to paths that are not in the catalog. */
export function isIncomplete(c: CatalogContext, info: NarInfo): boolean {
  return missingPaths(c, referenceHashes(info)).length > 0;
}

/** Base names of a narinfo's references that are not in the catalog: a hash under another name is another path. */
export function missingNames(c: CatalogContext, info: NarInfo): string[] {
  return c.sql
    .exec<{ value: string }>(
      `SELECT value FROM json_each(?)
       WHERE NOT EXISTS (SELECT 1 FROM paths WHERE hash = substr(value, 1, 32) AND name = substr(value, 34))`,
      JSON.stringify(info.references.filter((reference) => reference !== info.storePath.baseName)),
    )
    .toArray()
    .map((row) => row.value);
}

/** Hash parts of a narinfo's references without the path itself. */
export function referenceHashes(info: NarInfo): string[] {
  return [...new Set(info.references.map((reference) => reference.slice(0, 32)))].filter(
    (hash) => hash !== info.storePath.hash,
  );
}

/** Hash parts of the paths that a path of the catalog refers to, without itself. */
export function referencesOf(c: CatalogContext, hash: string): string[] {
  return c.sql
    .exec<{ reference: string }>("SELECT reference FROM refs WHERE referrer = ?", hash)
    .toArray()
    .map((row) => row.reference);
}

/** Hash parts of the paths that refer to one, without itself. At most `limit`. */
export function referrersOf(c: CatalogContext, hash: string, limit = -1): string[] {
  return c.sql
    .exec<{ referrer: string }>(
      "SELECT referrer FROM refs WHERE reference = ? ORDER BY referrer LIMIT ?",
      hash,
      limit,
    )
    .toArray()
    .map((row) => row.referrer);
}

/** Writes a path, its references and its NAR; call it in a transaction. The first push of a known path is kept. */
export function indexPath(c: CatalogContext, path: IndexedPath): void {
  const { info } = path;
  const { hash, name } = info.storePath;
  const nar = narKeyOfUrl(info.url);
  const previous = c.sql.exec<{ nar: string }>("SELECT nar FROM paths WHERE hash = ?", hash).toArray()[0];
  c.sql.exec(
    `INSERT INTO paths VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (hash) DO UPDATE SET
       name = excluded.name, nar = excluded.nar, nar_hash = excluded.nar_hash, nar_size = excluded.nar_size,
       file_hash = excluded.file_hash, file_size = excluded.file_size, compression = excluded.compression,
       deriver = excluded.deriver, ca = excluded.ca, signers = excluded.signers, narinfo = excluded.narinfo,
       etag = excluded.etag, incomplete = excluded.incomplete, last_push = excluded.last_push,
       pushed_by = excluded.pushed_by, wanted = max(wanted, excluded.wanted)`,
    hash,
    name,
    nar,
    formatHash(info.narHash),
    info.narSize,
    formatHash(info.fileHash ?? info.narHash),
    info.fileSize ?? 0,
    info.compression,
    info.deriver ?? null,
    info.ca ?? null,
    signersOf(info),
    path.text,
    path.etag,
    path.isIncomplete ? 1 : 0,
    path.firstPush,
    path.uploaded,
    path.pushedBy,
    path.lastUsed ?? path.uploaded,
  );
  // Only what differs is written: rows written are what the platform counts and limits.
  const references = JSON.stringify(referenceHashes(info));
  c.sql.exec(
    "DELETE FROM refs WHERE referrer = ? AND reference NOT IN (SELECT value FROM json_each(?))",
    hash,
    references,
  );
  c.sql.exec("INSERT OR IGNORE INTO refs SELECT ?, value FROM json_each(?)", hash, references);
  c.sql.exec(
    `INSERT INTO nars VALUES (?, ?, ?, 1, ?, ?, NULL)
     ON CONFLICT (key) DO UPDATE SET size = coalesce(nullif(excluded.size, 0), size),
       sha256 = coalesce(excluded.sha256, sha256), is_stored = 1, released = NULL`,
    nar,
    info.fileSize ?? 0,
    path.narSha256 ?? null,
    path.uploaded,
    path.uploaded,
  );
  if (previous !== undefined && previous.nar !== nar) releaseNar(c, previous.nar);
}

/** The first build of a path stays; that another one exists is worth knowing: the path is not reproducible. */
export function recordDifferingBuild(c: CatalogContext, info: NarInfo, pushedBy: string): void {
  c.sql.exec(
    `INSERT INTO differing_builds (hash, nar_hash, nar_size, first_push, last_push, pushed_by) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (hash, nar_hash) DO UPDATE SET last_push = excluded.last_push, pushed_by = excluded.pushed_by`,
    info.storePath.hash,
    formatHash(info.narHash),
    info.narSize,
    c.now(),
    c.now(),
    pushedBy,
  );
}

/** Names of the keys that have signed a path, as the rows have them. */
export function signersOf(info: NarInfo): string {
  return [...new Set(info.signatures.map((signature) => signature.slice(0, signature.indexOf(":"))))].join(
    " ",
  );
}

/** Removes a path; its NAR is free to go once nothing refers to it. Call it in a transaction. */
export function deletePathRow(c: CatalogContext, hash: string): void {
  const row = pathRow(c, hash);
  if (row === undefined) return;
  c.sql.exec("DELETE FROM paths WHERE hash = ?", hash);
  c.sql.exec("DELETE FROM refs WHERE referrer = ?", hash);
  c.sql.exec("DELETE FROM differing_builds WHERE hash = ?", hash);
  releaseNar(c, row.nar);
}

/** Marks when a NAR lost its last path: the grace period is counted from then. */
function releaseNar(c: CatalogContext, nar: string): void {
  const released = c.sql
    .exec(
      "UPDATE nars SET released = ? WHERE key = ? AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key) RETURNING key",
      c.now(),
      nar,
    )
    .toArray();
  if (released.length > 0) c.wakeForSweep();
}

/** Counts the grace period of those of these NARs that have no path from now on. */
export function postponeRelease(c: CatalogContext, nars: readonly string[]): void {
  c.sql.exec(
    "UPDATE nars SET released = ? WHERE released IS NOT NULL AND key IN (SELECT value FROM json_each(?))",
    c.now(),
    JSON.stringify(nars),
  );
}

/** Whether a path of the catalog has this NAR. */
export function isNarReferred(c: CatalogContext, nar: string): boolean {
  return c.sql.exec("SELECT 1 FROM paths WHERE nar = ? LIMIT 1", nar).toArray().length > 0;
}
