// Unreadable pins and narinfos may keep paths alive: nothing is collected until they are fixed.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { RUNS } from "../../../src/catalog/catalog.ts";
import { COLLECT } from "../../../src/catalog/collect/collect.ts";
import { GC_RECORD } from "../../../src/catalog/collect/collection.ts";
import { requestCollection } from "../../../src/catalog/collect/request.ts";
import { REINDEX } from "../../../src/catalog/reindex/reindex.ts";
import { continueRuns, requestRun } from "../../../src/catalog/runs/engine.ts";
import { saveRun } from "../../../src/catalog/runs/run.ts";
import { failing } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { recorded } from "../../support/catalog.ts";
import { beginRetention, cronUntil, daysLater, FORCE, MONTH, published } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, reindex } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const LATER = daysLater(100, MONTH);

describe.each([
  ["an unreadable pin", () => env.BUCKET.put("pins/p", "no pin")],
  [
    "a narinfo that only a newer Nix can read",
    async () => {
      const { key, narKey, nar, text } = await testPath("app-1.0");
      await env.BUCKET.put(narKey, nar);
      await env.BUCKET.put(key, `${text}CA: fixed:r:blake9:${"0".repeat(52)}\n`);
    },
  ],
])("%s", (_, put) => {
  it("keeps what is old also while a second reindex waits for its next try", async () => {
    const [old] = await published("old");
    await put();
    expect((await beginRetention(MONTH)).stopped).toBeDefined();
    await cronUntil(99);
    const isList = failing(({ name }) => name === "list");
    await recorded((c) => requestRun(c, REINDEX, { restart: true }), isList, LATER);
    await recorded((c) => requestRun(c, COLLECT, FORCE), isList, LATER);
    await inCatalog(async (c) => {
      for (let alarm = 0; alarm < 3; alarm++) await continueRuns(c, RUNS);
    }, LATER);
    expect(await keys()).toContain(old?.key);
  });

  it("stops a collection that was about to delete", async () => {
    const [old] = await published("old");
    await beginRetention(MONTH);
    await cronUntil(99);
    await put();
    const stopped = await inCatalog(async (c) => {
      await requestCollection(c, FORCE);
      await reindex(c);
      const run = GC_RECORD.load(c);
      if (run === undefined) throw new Error("no collection has begun");
      saveRun(c, { ...run, phase: "sweep" });
      await continueRuns(c, RUNS);
      return COLLECT.status(c)?.stopped;
    }, LATER);
    expect(stopped).toMatch(/so it is unknown which paths it/);
    expect(await keys()).toContain(old?.key);
  });
});
