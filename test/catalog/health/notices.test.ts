/** What a catalog tells an operator by /health: one line for each thing that is wrong, for a bounded number of rows. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { COLLECT } from "../../../src/catalog/collect/collect.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { RecentNotices } from "../../../src/catalog/health/notices.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { REINDEX } from "../../../src/catalog/reindex/reindex.ts";
import { note } from "../../../src/catalog/rows/findings.ts";
import { continueRuns, requestRun } from "../../../src/catalog/runs/engine.ts";
import { failing } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { captureLog } from "../../support/log.ts";
import { check, HOUR_MS, inCatalog, later, publishPath, reindex, storePath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const DAY_MS = 24 * HOUR_MS;

async function noticesOf(changes: Partial<CatalogContext> = {}): Promise<readonly string[]> {
  return await inCatalog((c) => new RecentNotices().get({ ...c, ...changes }));
}

const collecting = (c: CatalogContext) => ({ config: { ...c.config, retentionDays: 30 } });

async function whileCollecting(ms = 0): Promise<readonly string[]> {
  return await inCatalog((c) => new RecentNotices().get({ ...c, ...collecting(c), ...later(ms) }));
}

describe("no notice", () => {
  it("of a catalog that is new, or has paths, or is indexed, checked and collected", async () => {
    expect(await noticesOf()).toEqual([]);
    await publishPath(await testPath());
    expect(await noticesOf()).toEqual([]);
    await inCatalog((c) => reindex(c));
    await inCatalog((c) => check(c));
    await inCatalog((c) => requestRun({ ...c, ...collecting(c) }, COLLECT, {}));
    expect(await whileCollecting()).toEqual([]);
  });
});

describe("the index", () => {
  it("costs no operation of the bucket", async () => {
    await storePath(await testPath());
    expect((await recorded(async (c) => new RecentNotices().get(c))).billed).toEqual({ A: 0, B: 0 });
  });

  it("is being built, and its step fails", async () => {
    await storePath(await testPath());
    await recorded(
      (c) => requestRun(c, REINDEX, {}),
      failing(() => true),
    );
    expect(await noticesOf()).toEqual([
      expect.stringMatching(/^index: it is being built from the bucket \(narinfos\)/),
      expect.stringMatching(/^reindex: its last step failed/),
    ]);
  });
});

describe("collecting", () => {
  it("is overdue after two days, also where there was none", async () => {
    await publishPath(await testPath());
    expect(await whileCollecting(1.9 * DAY_MS)).toEqual([]);
    expect(await whileCollecting(2.1 * DAY_MS)).toEqual([
      expect.stringMatching(/^collection: none has reached its end for 2 days/),
    ]);
    // A cache that does not collect has none.
    expect(await noticesOf(later(9 * DAY_MS))).toEqual([]);
  });

  it("stopped", async () => {
    const path = await testPath();
    await publishPath(path);
    await inCatalog(async (c) => {
      const then = { ...c, ...collecting(c), ...later(40 * DAY_MS) };
      await reindex(then);
      // Last use has been recorded for long enough only by the second.
      await requestRun(then, COLLECT, {});
    });
    await inCatalog((c) => {
      c.sql.exec(
        "UPDATE runs SET state = json_set(state, '$.state.stopped', 'half of /nix/store/secret') WHERE kind = 'gc'",
      );
    });
    const notices = await whileCollecting(40 * DAY_MS);
    expect(notices).toContainEqual(expect.stringMatching(/^collection: the last one stopped/));
    expect(notices.join()).not.toContain("secret");
  });

  it("fails", async () => {
    await publishPath(await testPath());
    await inCatalog((c) => reindex(c));
    await recorded((c) => requestRun({ ...c, ...collecting(c), bucket: c.bucket }, COLLECT, {}));
    await inCatalog((c) => {
      c.sql.exec(
        "UPDATE runs SET finished = NULL, state = json_set(state, '$.problem', 'x') WHERE kind = 'gc'",
      );
    });
    expect(await whileCollecting()).toEqual([expect.stringMatching(/^gc: its last step failed/)]);
    await inCatalog((c) => continueRuns(c, [COLLECT]));
  });
});

describe("the last check", () => {
  it("has found problems, which are counted and not named", async () => {
    const path = await testPath();
    await publishPath(path);
    await inCatalog((c) => c.bucket.delete(path.narKey));
    await inCatalog((c) => check(c));
    const notices = await noticesOf();
    expect(notices).toEqual([expect.stringMatching(/^check: the last one has found \d problems/)]);
    expect(notices.join()).not.toContain("hello");
    await inCatalog((c) => check(c, { repair: true, restart: true }));
    expect(await noticesOf()).toEqual([]);
  });
});

it("verification is behind when a NAR has waited for half an hour", async () => {
  await publishPath(await testPath("big-1.0", "x".repeat(5000)));
  await inCatalog((c) => c.sql.exec("UPDATE nars SET queued = ?", Date.now()));
  expect(await noticesOf(later(29 * 60_000))).toEqual([]);
  expect(await noticesOf(later(45 * 60_000))).toEqual([
    expect.stringMatching(/^verification: it is behind: a NAR has waited for 45 minutes$/),
  ]);
  const off = await inCatalog((c) =>
    new RecentNotices().get({ ...c, ...later(HOUR_MS), config: { ...c.config, verify: "off" } }),
  );
  expect(off).toEqual([]);
});

it("however much there is, few rows are read, once in half a minute", async () => {
  await publishPath(await testPath());
  await inCatalog((c) => check(c));
  await inCatalog((c) => {
    c.transaction(() => {
      for (let n = 0; n < 5000; n++) note(c, "check", "missing-nar", `${n}`, "is not there");
    });
  });
  const { first, again } = await inCatalog(async (c) => {
    const notices = new RecentNotices();
    const { context, spent } = metered(c);
    const lines = notices.get(context);
    expect(lines).toEqual([expect.stringContaining("5000 problems")]);
    const first = spent().rows_read;
    notices.get(context);
    return { first, again: spent().rows_read - first };
  });
  expect(first).toBeLessThan(50);
  expect(again).toBe(0);
});
