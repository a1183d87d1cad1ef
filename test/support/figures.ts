/** The figures behind the statistics, against what is in the tables. */
import { expect } from "vitest";
import { keepFigures } from "../../src/catalog/ask/count.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import {
  addNar,
  addPath,
  type Figures,
  type NarFigure,
  noFigures,
  type PathFigure,
} from "../../src/catalog/figures.ts";
import { keptFigures } from "../../src/catalog/rows/figures.ts";

/** Counts all rows at once. */
export function countedAnew({ sql }: CatalogContext): Figures {
  const figures = noFigures();
  const paths = sql.exec<PathFigure>("SELECT hash, compression, nar_size, file_size, first_push FROM paths");
  for (const path of paths) addPath(figures, path);
  const nars = sql.exec<NarFigure>(
    "SELECT key, size, content, queued IS NOT NULL AS is_queued FROM nars WHERE is_stored = 1",
  );
  for (const nar of nars) addNar(figures, nar);
  return figures;
}

/** The figures are right. Where they need a recount, it is done. Resolves with whether they were exact before. */
export async function expectFigures(c: CatalogContext): Promise<boolean> {
  const wasExact = keptFigures(c).isExact;
  if (!wasExact) await recount(c);
  expect(shown(keptFigures(c).figures)).toEqual(shown(countedAnew(c)));
  return wasExact;
}

/** Counts again after rows were changed past the code that notes it, or ends the recount that is due. */
export async function recount(c: CatalogContext): Promise<void> {
  const kept = keptFigures(c);
  kept.isExact = false;
  for (let turn = 0; !kept.isExact; turn++) {
    if (turn > 1000) throw new Error("the recount does not end");
    await keepFigures(c);
  }
}

/** What the statistics show: of the largest only ten, and how many more are known does not matter. */
function shown(figures: Figures | undefined) {
  return { ...figures, largest: figures?.largest.slice(0, 10), floor: undefined };
}
