// The paths of a deriver. Nix names the outputs of `<hash>-NAME.drv` NAME and NAME-<output>, so the index of names finds
// them; an index of derivers would cost a row for each path.
import type { CatalogContext } from "../context.ts";
import { amongOldPaths } from "./old-layout.ts";

/** Paths with such names that are compared. Where there are more, other paths may have the deriver, too. */
const MAX_COMPARED = 500;
const HASH_LENGTH = 32;
const DRV = ".drv";

export interface Outputs {
  /** Hash parts. */
  readonly hashes: readonly string[];
  /** Whether these are all. */
  readonly isAll: boolean;
}

export function outputsOf(c: CatalogContext, deriver: string): Outputs {
  const name = outputName(deriver);
  const compared = [
    // "." is the character after "-".
    c.sql.exec<Output>("SELECT hash, deriver FROM paths WHERE name = ? LIMIT ?", name, MAX_COMPARED),
    c.sql.exec<Output>(
      "SELECT hash, deriver FROM paths WHERE name > ? AND name < ? LIMIT ?",
      ...[`${name}-`, `${name}.`, MAX_COMPARED],
    ),
  ].map((cursor) => cursor.toArray());
  return {
    hashes: compared.flatMap((rows) => rows.filter((row) => row.deriver === deriver).map(({ hash }) => hash)),
    isAll: compared.every((rows) => rows.length < MAX_COMPARED),
  };
}

interface Output extends Record<string, SqlStorageValue> {
  hash: string;
  deriver: string | null;
}

/** The base name of a path's deriver if no other path has it. */
export function ownDeriver(c: CatalogContext, hash: string): string | undefined {
  const row = c.sql
    .exec<{ name: string; deriver: string | null }>("SELECT name, deriver FROM paths WHERE hash = ?", hash)
    .toArray()[0];
  const deriver = row?.deriver ?? undefined;
  if (row === undefined || !deriver?.endsWith(DRV)) return undefined;
  const name = outputName(deriver);
  // Others would not be found by their names either.
  if (row.name !== name && !row.name.startsWith(`${name}-`)) return undefined;
  const { hashes, isAll } = outputsOf(c, deriver);
  return isAll && hashes.every((other) => other === hash) ? deriver : undefined;
}

/** Those of these base names that are the deriver of a path, or may be. */
export function knownDerivers(c: CatalogContext, derivers: readonly string[]): Set<string> {
  const known = derivers.filter((deriver) => {
    const { hashes, isAll } = outputsOf(c, deriver);
    return hashes.length > 0 || !isAll;
  });
  return new Set([...known, ...amongOldPaths(c, "deriver", derivers)]);
}

function outputName(deriver: string): string {
  return deriver.slice(HASH_LENGTH + 1, -DRV.length);
}
