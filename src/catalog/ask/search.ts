// Search of the paths. It reads only the catalog's tables and costs no bucket operation.
import type { PathPage, PathQuery, PathSummary } from "../../contract/paths.ts";
import type { Compression } from "../../nix/narinfo.ts";
import { formatStorePath } from "../../nix/store-path.ts";
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";

export interface SummaryRow extends Record<string, SqlStorageValue> {
  hash: string;
  name: string;
  compression: Compression;
  nar_size: number;
  file_size: number;
  signers: string;
  incomplete: number;
  first_push: number;
  last_push: number;
  pushed_by: string;
}

export const SUMMARY_COLUMNS =
  "hash, name, compression, nar_size, file_size, signers, incomplete, first_push, last_push, pushed_by";

/**
 * A page of the list of paths, newest first. New paths sort before every cursor, so no page repeats or misses a path.
 */
export function listPaths(c: CatalogContext, query: PathQuery): PathPage {
  const rows = c.sql
    .exec<SummaryRow>(
      // Not LIKE: names may contain its wildcards, and its patterns have at most 50 bytes on this platform.
      `SELECT ${SUMMARY_COLUMNS} FROM paths
       WHERE (first_push, hash) < (?1, ?2) AND substr(name, 1, length(?3)) = ?3 AND instr(lower(name), lower(?4)) > 0
       ORDER BY first_push DESC, hash DESC LIMIT ?5`,
      query.after?.firstPush ?? Number.MAX_SAFE_INTEGER,
      query.after?.hash ?? "",
      query.prefix,
      query.search,
      query.limit + 1,
    )
    .toArray();
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  return {
    paths: shown.map((row) => summary(c, row)),
    ...(rows.length > query.limit && last && { next: { firstPush: last.first_push, hash: last.hash } }),
  };
}

export function summary(c: CatalogContext, row: SummaryRow): PathSummary {
  const { hash, name } = row;
  const { storeDir } = c.config;
  return {
    hash,
    name,
    store_path: formatStorePath({ storeDir, hash, name, baseName: `${hash}-${name}` }),
    compression: row.compression,
    nar_size: row.nar_size,
    file_size: row.file_size === 0 ? null : row.file_size,
    signers: row.signers === "" ? [] : row.signers.split(" "),
    first_push: isoTime(row.first_push),
    last_push: isoTime(row.last_push),
    pushed_by: row.pushed_by,
    incomplete: row.incomplete !== 0,
  };
}
