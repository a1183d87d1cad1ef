/** Repairs: what they must leave, and what becomes of one that dies. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { CHECK } from "../../../src/catalog/check/check.ts";
import { openPublication } from "../../../src/catalog/rows/publications.ts";
import { requestRun } from "../../../src/catalog/runs/engine.ts";
import { keys } from "../../support/cache.ts";
import { baseNameOf, hashOf, publishClosure } from "../../support/closure.ts";
import { runDyingAtEveryOperation, withoutBucket } from "../../support/dying.ts";
import { captureLog } from "../../support/log.ts";
import {
  catalog,
  check,
  inCatalog,
  namesOf,
  publishPath,
  rows,
  storePath,
  value,
} from "../../support/runs.ts";
import { compressedPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a repair", () => {
  it("takes nothing from under a publication that refers to it", async () => {
    const { library } = await publishClosure();
    await env.BUCKET.delete(library.narKey);
    const report = await inCatalog(async (c) => {
      // Its process is alive: it holds the lock of its path.
      const hash = "f".repeat(32);
      let finish = () => {};
      void c.locks.run(hash, () => new Promise<void>((resolve) => (finish = resolve)));
      openPublication(c, hash, { nars: [], references: [hashOf(library)] });
      const report = await check(c, { repair: true });
      finish();
      return report;
    });
    expect(report.findings["missing-nar"]).toMatchObject({ count: 1, repaired: 0 });
    expect(await keys()).toContain(library.key);
  });

  it("leaves a damaged NAR that somebody is about to replace", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.put(path.narKey, "cut");
    await scheduler.wait(5);
    await value(catalog().announceNar({ key: path.narKey, size: path.nar.length }));
    await inCatalog((c) => check(c, { repair: true }));
    expect(await keys()).toEqual([path.narKey]);
  });

  it("is asked for anew where a check without one is under way", async () => {
    await inCatalog(async (c) => {
      const broken = withoutBucket(c);
      const repairs = async (options: { repair?: boolean }) => {
        await requestRun(broken, CHECK, options);
        return CHECK.status(c)?.repair;
      };
      expect(await repairs({})).toBe(false);
      expect(await repairs({ repair: true })).toBe(true);
      expect(await repairs({})).toBe(true);
      expect(await repairs({ repair: false })).toBe(false);
    });
  });

  it.each(["before", "after"] as const)(
    "that dies %s any operation repairs and tells the same",
    async (when) => {
      const { library, app, packed } = await publishClosure();
      const broken = await testPath("broken-1.0");
      const other = await testPath("other-1.0");
      const gone = await compressedPath("gone-1.0");
      await publishPath(gone);
      await storePath(other);
      await env.BUCKET.put(broken.key, "broken");
      await env.BUCKET.put(packed.narKey, "cut");
      await env.BUCKET.delete([library.narKey, gone.key]);
      const { deaths, report } = await inCatalog(async (c) => {
        const deaths = await runDyingAtEveryOperation(c, CHECK, { repair: true }, when);
        return { deaths, report: CHECK.status(c) };
      });
      expect(deaths).toBeGreaterThan(4);
      expect(report).toMatchObject({ done: true });
      expect(report && namesOf(report)).toEqual({
        "unreadable-narinfo": [hashOf(broken)],
        "unindexed-narinfo": [baseNameOf(other)],
        "vanished-narinfo": [baseNameOf(gone)],
        "missing-nar": [baseNameOf(library)],
        "damaged-nar": [baseNameOf(packed)],
        "vanished-nar": [library.narKey],
        "missing-reference": [baseNameOf(library)],
      });
      expect(await keys()).toEqual([app.key, other.key, app.narKey, other.narKey, gone.narKey].sort());
      expect((await inCatalog(rows)).pending).toEqual([]);
    },
  );
});
