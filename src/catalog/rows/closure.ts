// The rows of many paths, for the closure of one: its references stand in its narinfo.
import type { CatalogContext } from "../context.ts";

export interface ClosureMember extends Record<string, SqlStorageValue> {
  hash: string;
  nar_size: number;
  /** Bytes; 0 where the narinfo does not say. */
  file_size: number;
  narinfo: string;
}

/** Those of these paths that are in the catalog, in no order. */
export function closureMembers(c: CatalogContext, hashes: readonly string[]): ClosureMember[] {
  return c.sql
    .exec<ClosureMember>(
      "SELECT hash, nar_size, file_size, narinfo FROM paths WHERE hash IN (SELECT value FROM json_each(?))",
      JSON.stringify(hashes),
    )
    .toArray();
}
