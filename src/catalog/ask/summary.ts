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
