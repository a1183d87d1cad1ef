/** A path with more referrers than a collection counts: it goes in the collection after theirs. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { hashOf } from "../../../bench/catalog-graph.ts";
import { fillCatalog, prepareCatalog } from "../../../bench/catalog-rows.ts";
import { MAX_REFERRERS } from "../../../src/catalog/collect/mark.ts";
import { pathRow } from "../../../src/catalog/rows/paths.ts";
import { collect, configWith, DAY_MS, FORCE, MONTH } from "../../support/collecting.ts";
import { inCatalog } from "../../support/runs.ts";
import { SLOW_MS } from "../../support/slow.ts";

afterEach(() => reset());

it("is not counted to its end, and nothing is left for ever", { timeout: SLOW_MS }, async () => {
  const config = configWith(MONTH);
  const graph = {
    ...{ paths: MAX_REFERRERS + 2, wide: 0, top: 0, referrers: MAX_REFERRERS + 1, dead: MAX_REFERRERS + 2 },
    references: (path: number) => (path === 0 ? [] : [0]),
    age: () => 60 * DAY_MS,
  };
  await inCatalog(prepareCatalog, { config });
  await inCatalog((c) => fillCatalog(c, graph, 0, graph.paths), { config });
  // No edge here.
  const changes = { config, purge: async () => {} };
  const first = await inCatalog((c) => collect(c, FORCE), changes);
  expect(first).toMatchObject({ removed: { paths: MAX_REFERRERS + 1 } });
  expect(await inCatalog((c) => pathRow(c, hashOf(0))?.hash)).toBe(hashOf(0));
  const second = await inCatalog((c) => collect(c, FORCE), changes);
  expect(second).toMatchObject({ paths: 1, removed: { paths: 1 } });
});
