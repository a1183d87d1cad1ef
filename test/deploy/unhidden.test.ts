/** What `npm start` tells of mistakes that /health hides, because they name private caches. */
import { expect, test } from "vitest";
import { allProblems, parseConfig } from "../../src/config/config.ts";
import type { Table } from "../../src/deploy/table.ts";
import { unhidden } from "../../src/deploy/variables.ts";
import { newKey } from "../support/own-keys.ts";
import { variables } from "../support/variables.ts";

const HIDDEN = "CACHES: has a mistake; the log of the Worker names it";
const r2_buckets = [{ binding: "BUCKET" }];

test.each<[string, Table, RegExp]>([
  [
    "a key that is missing",
    { team: { visibility: "private", signing_keys: ["team-1"] } },
    /^CACHES\.team\.signing_keys: SIGNING_KEY has no usable key team-1$/,
  ],
  ["a setting that there is not", { team: { visibility: "private", x: 1 } }, /^CACHES\.team\.x: unknown/],
  ["a name that cannot be", { team: { visibility: "private" }, Nix: {} }, /^CACHES: the name "Nix" must/],
])("%s", async (_, CACHES, expected) => {
  const secrets = { SIGNING_KEY: (await newKey("mine-1")).secret };
  const shown = await allProblems(parseConfig(variables({ CACHES, PRIORITY: "x", ...secrets })));
  expect(shown).toEqual([expect.stringMatching(/^PRIORITY: /), HIDDEN]);
  expect(await unhidden(shown, { r2_buckets, vars: { CACHES, PRIORITY: "x" } }, secrets)).toEqual([
    shown[0],
    expect.stringMatching(expected),
  ]);
});

test("where the mistake is in no file that is known, the line stays", async () => {
  expect(await unhidden([HIDDEN], { r2_buckets }, {})).toEqual([HIDDEN]);
});
