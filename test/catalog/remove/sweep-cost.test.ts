// What a sweep of NARs takes: as much for each of many as for one.
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { metered } from "../../../src/catalog/meter.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { inCatalog } from "../../support/runs.ts";

afterEach(() => reset());

it.each([10, 1000])("reads and writes a few rows for each of %d NARs", async (count) => {
  const spent = await inCatalog(async (c) => {
    c.sql.exec(
      `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       SELECT 'nar/' || i, 1, NULL, 1, 0, 0, i FROM n`,
      count,
    );
    const { context, spent } = metered(c);
    expect(await sweepNars(context)).toEqual(expect.objectContaining({ deletedNars: count }));
    return spent();
  });
  expect(spent.deletes).toBe(1);
  expect(spent.rows_read).toBeLessThan(15 * count);
  expect(spent.rows_written).toBeLessThan(15 * count);
});
