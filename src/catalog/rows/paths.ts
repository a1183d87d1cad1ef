// The table `paths`: one row for each published path.
import { formatHash } from "../../nix/hash.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { KnownFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import type { PathFigure } from "../figures.ts";
import { outputsOf } from "./derivers.ts";
import { notePath, PATH_FIGURE, pathFigure } from "./figures.ts";
import { insert } from "./insert.ts";
import { pathOf } from "./nar-paths.ts";
import { adoptPaths, removeOldPath, saveOldLastUse, withoutOldPaths } from "./old-layout.ts";
import { referenceHashes } from "./references.ts";
import { upstreamList, upstreamPathsOf } from "./upstream-paths.ts";

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
  /** The SHA-256 of its NAR object in lower-case hex, if it has been verified. */
  readonly narSha256?: string;
  /** The narinfo as it is in the bucket. */
  readonly text: string;
  readonly etag: string;
  /** When it was written, in milliseconds since the epoch. */
  readonly uploaded: number;
  /** When a pusher last relied on it, if that is later than it was written. Milliseconds since the epoch. */
  readonly lastUsed?: number;
  /** In milliseconds since the epoch. */
  readonly firstPush: number;
  readonly pushedBy: string;
  /** What has just been found out of its NAR's content. */
  readonly known?: KnownFacts;
  /** Whether its NAR is still to be read. */
  readonly isQueued?: boolean;
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

export interface SignedPath extends Record<string, SqlStorageValue> {
  hash: string;
  nar: string;
  narinfo: string;
  etag: string;
  first_push: number;
  last_push: number;
  pushed_by: string;
}

/** All of a row that a narinfo with other signatures keeps. */
export function signedPath(c: CatalogContext, hash: string): SignedPath | undefined {
  return c.sql
    .exec<SignedPath>(
      "SELECT hash, nar, narinfo, etag, first_push, last_push, pushed_by FROM paths WHERE hash = ?",
      hash,
    )
    .toArray()[0];
}

/** The same narinfo with other signatures. */
export function saveSignatures(
  c: CatalogContext,
  { hash, narinfo, etag, signers }: Record<"hash" | "narinfo" | "etag" | "signers", string>,
): void {
  c.sql.exec(
    "UPDATE paths SET narinfo = ?, etag = ?, signers = ? WHERE hash = ?",
    ...[narinfo, etag, signers, hash],
  );
}

/** Writes the row of a path. The first push of a known path is kept. */
export function savePath(c: CatalogContext, path: IndexedPath): void {
  const { info } = path;
  const { hash, name } = info.storePath;
  const before = pathFigure(c, hash);
  const written = insert<PathFigure>(
    c,
    "paths",
    {
      hash,
      name,
      nar: narPlaceOf(info.url).key,
      nar_hash: formatHash(info.narHash),
      nar_size: info.narSize,
      file_hash: formatHash(info.fileHash ?? info.narHash),
      file_size: info.fileSize ?? 0,
      compression: info.compression,
      deriver: info.deriver ?? null,
      ca: info.ca ?? null,
      signers: signersOf(info),
      narinfo: path.text,
      etag: path.etag,
      incomplete: path.isIncomplete ? 1 : 0,
      first_push: path.firstPush,
      last_push: path.uploaded,
      pushed_by: path.pushedBy,
      wanted: path.lastUsed ?? path.uploaded,
    },
    `ON CONFLICT (hash) DO UPDATE SET
       name = excluded.name, nar = excluded.nar, nar_hash = excluded.nar_hash, nar_size = excluded.nar_size,
       file_hash = excluded.file_hash, file_size = excluded.file_size, compression = excluded.compression,
       deriver = excluded.deriver, ca = excluded.ca, signers = excluded.signers, narinfo = excluded.narinfo,
       etag = excluded.etag, incomplete = excluded.incomplete, last_push = excluded.last_push,
       pushed_by = excluded.pushed_by, wanted = max(wanted, excluded.wanted)
     RETURNING ${PATH_FIGURE}`,
  );
  notePath(c, before, written.one());
}

export function removePath(c: CatalogContext, hash: string): void {
  const [row] = c.sql
    .exec<PathFigure>(`DELETE FROM paths WHERE hash = ? RETURNING ${PATH_FIGURE}`, hash)
    .toArray();
  notePath(c, row, undefined);
  removeOldPath(c, hash);
}

/** Names of the keys that have signed a path, separated by spaces. */
export function signersOf(info: NarInfo): string {
  return [...new Set(info.signatures.map((signature) => signature.slice(0, signature.indexOf(":"))))].join(
    " ",
  );
}

/** The hash parts that are not in the catalog, in order and without duplicates. Any number of them. */
export function missingPaths(c: CatalogContext, hashes: readonly string[]): string[] {
  const unknown = c.sql
    .exec<{ value: string }>(
      "SELECT DISTINCT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM paths WHERE hash = value)",
      JSON.stringify(hashes),
    )
    .toArray()
    .map((row) => row.value);
  return withoutOldPaths(c, unknown);
}

/** As {@link missingPaths}, without those that an upstream has. */
export function missingReferences(c: CatalogContext, hashes: readonly string[]): string[] {
  const missing = missingPaths(c, hashes);
  const upstream = upstreamPathsOf(c, missing);
  return missing.filter((hash) => !upstream.has(hash));
}

/** Whether a narinfo refers to paths that are neither in the catalog nor in an upstream. */
export function isIncomplete(c: CatalogContext, info: NarInfo): boolean {
  return missingReferences(c, referenceHashes(info)).length > 0;
}

/**
 * Base names of a narinfo's references that are neither in the catalog nor in an upstream: a hash under another name is
 * another path.
 */
export function missingNames(c: CatalogContext, info: NarInfo): string[] {
  adoptPaths(c, referenceHashes(info));
  return c.sql
    .exec<{ value: string }>(
      `SELECT value FROM json_each(?1)
       WHERE NOT EXISTS (SELECT 1 FROM paths WHERE hash = substr(value, 1, 32) AND name = substr(value, 34))
       AND NOT EXISTS (SELECT 1 FROM upstream_paths WHERE hash = substr(value, 1, 32) AND name = substr(value, 34)
         AND upstream IN (SELECT value FROM json_each(?2)))`,
      JSON.stringify(info.references.filter((reference) => reference !== info.storePath.baseName)),
      upstreamList(c),
    )
    .toArray()
    .map((row) => row.value);
}

/** Whether the NAR of a path is queued, and since at most `ms` milliseconds after the path was pushed. */
export function isNewlyQueued(c: CatalogContext, hash: string, ms: number): boolean {
  return (
    c.sql
      .exec("SELECT 1 FROM paths JOIN nars ON key = nar WHERE hash = ? AND queued <= last_push + ?", hash, ms)
      .toArray().length > 0
  );
}

/** How the owner of a companion is named. */
type Owner = "hash" | "deriver" | "nar";

/**
 * Sets the last use of the paths with one of these values to now, unless it is after `before`. Of the paths of a NAR one:
 * while that is here, the NAR is.
 */
export function saveLastUse(
  c: CatalogContext,
  owner: Owner,
  values: readonly string[],
  before: number,
): void {
  const hashes = {
    hash: () => values,
    deriver: () => values.flatMap((deriver) => outputsOf(c, deriver).hashes),
    nar: () => values.flatMap((nar) => pathOf(c, nar) ?? []),
  }[owner]();
  c.sql.exec(
    "UPDATE paths SET wanted = ? WHERE hash IN (SELECT value FROM json_each(?)) AND wanted < ?",
    c.now(),
    JSON.stringify(hashes),
    before,
  );
  saveOldLastUse(c, owner, values, before);
}
