// A path as lists show it.
import type { PathSummary } from "../../contract/paths.ts";
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

/** Of the paths with these hashes that are here, in the same order. */
export function summaries(c: CatalogContext, hashes: readonly string[]): PathSummary[] {
  const rows = c.sql
    .exec<SummaryRow>(
      `SELECT ${SUMMARY_COLUMNS} FROM paths WHERE hash IN (SELECT value FROM json_each(?))`,
      JSON.stringify(hashes),
    )
    .toArray();
  const byHash = new Map(rows.map((row) => [row.hash, row]));
  return hashes.flatMap((hash) => {
    const row = byHash.get(hash);
    return row === undefined ? [] : [summary(c, row)];
  });
}
