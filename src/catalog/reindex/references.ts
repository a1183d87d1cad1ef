// The third phase of a reindex: finds paths with missing references. It needs the rows of all paths.
import type { CatalogContext } from "../context.ts";
import { linkPaths } from "../rows/nar-paths.ts";
import { missingReferences } from "../rows/paths.ts";
import { referencesIn } from "../rows/references.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import type { ReindexRun } from "./state.ts";

/** Paths per step, and references after which it ends. */
const BATCH = 1000;
const MAX_REFERENCES = 20_000;
/** Such a step takes about as long as this many bucket operations, and does not yield. */
const BATCH_COST = 10;

export async function markIncomplete(c: CatalogContext, run: ReindexRun): Promise<number> {
  c.transaction(() => {
    const paths = nextPaths(c, run.checkpoint);
    const missing = new Set(
      missingReferences(c, [...new Set(paths.flatMap(({ references }) => references))]),
    );
    const changed = paths.filter(
      ({ isIncomplete, references }) => isIncomplete !== references.some((hash) => missing.has(hash)),
    );
    const hashes = JSON.stringify(changed.map(({ hash }) => hash));
    c.sql.exec(
      "UPDATE paths SET incomplete = 1 - incomplete WHERE hash IN (SELECT value FROM json_each(?))",
      hashes,
    );
    linkPaths(
      c,
      paths.map(({ hash }) => hash),
    );
    moveTo(c, run, paths.at(-1)?.hash);
    saveRun(c, run);
  });
  return BATCH_COST;
}

interface IndexedPath {
  readonly hash: string;
  readonly isIncomplete: boolean;
  readonly references: readonly string[];
}

function nextPaths(c: CatalogContext, after: string): IndexedPath[] {
  const paths: IndexedPath[] = [];
  let count = 0;
  const rows = c.sql.exec<{ hash: string; incomplete: number; narinfo: string }>(
    "SELECT hash, incomplete, narinfo FROM paths WHERE hash > ? ORDER BY hash LIMIT ?",
    after,
    BATCH,
  );
  for (const { hash, incomplete, narinfo } of rows) {
    const references = referencesIn(narinfo);
    paths.push({ hash, isIncomplete: incomplete === 1, references });
    count += references.length;
    if (count >= MAX_REFERENCES) break;
  }
  return paths;
}
