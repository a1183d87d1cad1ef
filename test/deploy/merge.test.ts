/** One's own settings over wrangler.toml, and the lines that show the difference. */
import { describe, expect, test } from "vitest";
import { additions, changes } from "../../src/deploy/changes.ts";
import { merge, mergeLocal } from "../../src/deploy/merge.ts";
import { type Table, tomlOf } from "../../src/deploy/table.ts";

const BASE = {
  name: "nix-cache",
  main: "src/index.ts",
  r2_buckets: [{ binding: "BUCKET", bucket_name: "nix-cache" }],
  triggers: { crons: ["23 3 * * *"] },
  observability: { enabled: true, logs: { invocation_logs: false } },
};

test.each<[string, Table, Table]>([
  ["nothing", {}, {}],
  ["a value", { name: "team" }, { name: "team" }],
  ["a list", { triggers: { crons: [] } }, { triggers: { crons: [] } }],
  [
    "a table in a table",
    { observability: { logs: { invocation_logs: true } } },
    { observability: { enabled: true, logs: { invocation_logs: true } } },
  ],
  [
    "a bucket's jurisdiction",
    { r2_buckets: [{ binding: "BUCKET", jurisdiction: "eu" }] },
    { r2_buckets: [{ binding: "BUCKET", bucket_name: "nix-cache", jurisdiction: "eu" }] },
  ],
  [
    "a binding more",
    { r2_buckets: [{ binding: "OTHER", bucket_name: "other" }] },
    { r2_buckets: [...BASE.r2_buckets, { binding: "OTHER", bucket_name: "other" }] },
  ],
  ["what the base has not", { vars: { PRIORITY: 30 } }, { vars: { PRIORITY: 30 } }],
])("merging %s", (_, own, changed) => {
  expect(merge(BASE, own)).toEqual({ ...BASE, ...changed });
});

test("a local cache takes over variables and no names, and has no cron trigger", () => {
  const own = { name: "team", routes: [{ pattern: "x" }], r2_buckets: [], vars: { PRIORITY: 30 } };
  const { triggers: _, ...local } = BASE;
  expect(mergeLocal(BASE, own)).toEqual({ ...local, vars: { PRIORITY: 30 } });
});

test.each<[string, Table, Table, string[], Table]>([
  ["nothing", BASE, BASE, [], {}],
  ["a value", { a: 1 }, { a: 2 }, ["a: 1 → 2"], { a: 2 }],
  ["one more", {}, { a: { b: "x" } }, ['a.b: new, "x"'], { a: { b: "x" } }],
  ["one less", { a: [1] }, {}, ["a: no longer, [1]"], {}],
  ["in a table", { a: { b: 1, c: 2 } }, { a: { b: 1, c: [] } }, ["a.c: 2 → []"], { a: { c: [] } }],
])("the changes: %s", (_, before, after, lines, added) => {
  expect(changes(before, after)).toEqual(lines);
  expect(additions(before, after)).toEqual(added);
});

describe("as TOML", () => {
  test("values come before tables; names and texts are quoted where they must be", () => {
    const table = {
      vars: { "a b": 'x"\n', CACHES: { team: { open: true } }, OIDC: [{ claims: { ref: "x/*" } }], none: {} },
      name: "team",
    };
    expect(tomlOf(table)).toEqual([
      'name = "team"',
      "",
      "[vars]",
      '"a b" = "x\\"\\n"',
      "none = {}",
      "",
      "[vars.CACHES.team]",
      "open = true",
      "",
      "[[vars.OIDC]]",
      'claims = { ref = "x/*" }',
    ]);
  });
});
