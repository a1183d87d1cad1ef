/** A narinfo with more references than the row of an intent has room for. */
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { recordIntent } from "../../../src/catalog/rows/intents.ts";
import { publishing } from "../../support/catalog.ts";
import { withInfo } from "../../support/closure.ts";
import { madeUpHash } from "../../support/many.ts";
import { inCatalog } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

afterEach(() => reset());

it("is refused before anything is recorded", async () => {
  const references = Array.from({ length: 20_001 }, (_, n) => `${madeUpHash("0", n)}-x`);
  const path = withInfo(await testPath(), { references });
  const { result, operations } = await publishing(path.text);
  expect(result).toMatchObject({ status: 413, message: expect.stringContaining("at most 20000") });
  expect(operations).toEqual([]);
});

it("has room where the stored one has other references, and as many as 1 MiB holds", async () => {
  const stored = Array.from({ length: 30_840 }, (_, n) => madeUpHash("1", n));
  const incoming = Array.from({ length: 20_000 }, (_, n) => madeUpHash("0", n));
  await inCatalog((c) => {
    const sequence = recordIntent(c, {
      ...{ kind: "publish", key: madeUpHash("2", 0), nars: ["nar/x.nar", "nar/y.nar"] },
      references: [...incoming, ...stored],
    });
    expect(sequence).toBeGreaterThan(0);
  });
});
