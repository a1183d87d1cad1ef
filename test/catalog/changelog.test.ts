/** CHANGELOG.md: its newest version is that of the program, and each names the schema of its catalog. */
import { expect, test } from "vitest";
import changelog from "../../CHANGELOG.md?raw";
import { MIGRATIONS } from "../../src/catalog/schema.ts";
import { VERSION } from "../../src/contract/cache.ts";

const RELEASES = [
  ...changelog.matchAll(/^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)\n\nCatalog schema (\d+)\./gm),
].map(([, version = "", date = "", schema]) => ({ version, date, schema: Number(schema) }));

test("the newest release is the version of the program, which tells its catalog's schema", () => {
  expect(RELEASES[0]).toMatchObject({ version: VERSION, schema: MIGRATIONS.length });
});

test("every version has a date and a schema, the newest first", () => {
  expect(RELEASES).toHaveLength(changelog.match(/^## \[\d/gm)?.length ?? 0);
  const dates = RELEASES.map(({ date }) => date);
  expect(dates).toEqual(dates.toSorted().reverse());
});
