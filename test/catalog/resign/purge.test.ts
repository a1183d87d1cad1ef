// What a resign tells the edge: once in a step, and of everything that it has written, whatever dies in between.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { RESIGN } from "../../../src/catalog/resign/resign.ts";
import { requestRun } from "../../../src/catalog/runs/engine.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { generateSecretKey } from "../../../src/nix/keys.ts";
import { failing } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { publishClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, reindex } from "../../support/runs.ts";

captureLog();
afterEach(() => reset());

const KEY = await generateSecretKey("new-1");
const config = parseConfig({ BUCKET: env.BUCKET, CATALOG: env.CATALOG, SIGNING_KEY: KEY.secret });

/** Paths of the edge under which three unsigned narinfos may be. */
async function unsigned(): Promise<string[]> {
  await inCatalog((c) => reindex(c));
  const { all } = await publishClosure();
  return all.map(({ key }) => `/${key}`).sort();
}

function step(
  interference: Parameters<typeof recorded>[1] = {},
  changes: Parameters<typeof recorded>[2] = {},
  restart = false,
) {
  return recorded(
    async (c) => {
      await requestRun(c, RESIGN, { restart });
      return RESIGN.status(c);
    },
    interference,
    { config, ...changes },
  );
}

const sorted = (purged: readonly (readonly string[])[]) => purged.map((paths) => paths.toSorted());

describe("a resign tells the edge of all that it has written", () => {
  it("in one purge of a step, and of nothing a second time", async () => {
    const paths = await unsigned();
    const first = await step();
    expect([sorted(first.purged), first.result]).toEqual([[paths], expect.objectContaining({ done: true })]);
    expect((await step()).purged).toEqual([]);
  });

  it.each([false, true])(
    "also where it dies before the purge (begun again from the start: %s)",
    async (restart) => {
      const paths = await unsigned();
      const purge = () => Promise.reject(new Error("the object was reset"));
      const died = await step({}, { purge });
      expect(died.result).toMatchObject({ done: false, resigned: 3, problem: expect.any(String) });
      const next = await step({}, {}, restart);
      expect([sorted(next.purged), next.operations.filter((each) => !each.startsWith("list"))]).toEqual([
        [paths],
        [],
      ]);
    },
  );

  it("also where a write fails: of the others, and of that one when it is done", async () => {
    const paths = await unsigned();
    const broken = failing(({ name, key }) => name === "put" && `/${key}` === paths[1]);
    expect((await step(broken)).result).toMatchObject({ done: false, resigned: 2 });
    expect(new Set((await step()).purged.flat())).toEqual(new Set(paths));
  });

  it("in a report that says nothing of it", async () => {
    await unsigned();
    expect((await step()).result).not.toHaveProperty("unpurged");
  });
});
