// Rows of runs that an earlier version wrote in another shape: they count as none, and only `completed` is kept.
import { reset, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { RUNS } from "../../../src/catalog/catalog.ts";
import { CHECK } from "../../../src/catalog/check/check.ts";
import { COLLECT } from "../../../src/catalog/collect/collect.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { isIndexed } from "../../../src/catalog/reindex/indexed.ts";
import { REINDEX } from "../../../src/catalog/reindex/reindex.ts";
import { RESIGN } from "../../../src/catalog/resign/resign.ts";
import { nextStepTime } from "../../../src/catalog/runs/engine.ts";
import { lastCompleted } from "../../../src/catalog/runs/run.ts";
import type { RunKind } from "../../../src/contract/runs.ts";
import { collect, daysLater, FORCE, MONTH, published } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, check, inCatalog, value } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const COUNTS = { narinfos: 2, nars: 2, indexed: 2, removed: 0 };
const COLLECTION = {
  ...{ dryRun: false, force: true, since: 0, expiredBefore: 9_000, droppableBefore: 0, isBySize: false },
  rules: { retentionDays: 30, maxSizeBytes: null, graceMs: 90_000_000 },
  before: { paths: 2, bytes: 20 },
  passed: { wanted: 8_000, hash: "0".repeat(32) },
  ...{ roots: 1, oldest: [], removed: { paths: 0, bytes: 0 }, spared: 0, uploads: 0 },
  dead: { paths: 1, bytes: 10, expired: 1, tooLarge: 0 },
  spent: { classA: 0, classB: 0, deletes: 0, rowsRead: 9, rowsWritten: 3 },
};

/** The column `state` as it was written. */
const STATES: Record<Exclude<RunKind, "deletion" | "migrate">, object> = {
  reindex: {
    ...{ repair: false, counts: COUNTS, phase: "pins", after: "", steps: 5, failures: 0 },
    ...{ completed: 1_000, obscure: "1".repeat(32) },
  },
  check: {
    ...{ repair: true, counts: COUNTS, phase: "nars", after: "nar/x.nar", steps: 2, failures: 1 },
    ...{ completed: 1_000, problem: "the bucket did not answer (list)", retryAt: 2_000 },
  },
  gc: {
    ...{ collection: COLLECTION, repair: false, counts: COUNTS, phase: "sweep", after: "", steps: 2 },
    failures: 0,
  },
  resign: {
    resigning: { drop: "old-1", keys: ["new-1:AAAA"], paths: 9, resigned: 4, unpurged: ["2".repeat(32)] },
    ...{ repair: false, counts: COUNTS, phase: "narinfos", after: "3".repeat(32), steps: 1, failures: 0 },
  },
};

/** Rows of an earlier version: of a reindex that has ended, and of other runs under way. */
function writeOlderRows(c: CatalogContext): void {
  for (const [kind, state] of Object.entries(STATES)) {
    c.sql.exec(
      "INSERT OR REPLACE INTO runs (kind, started, finished, state) VALUES (?, 500, ?, ?)",
      kind,
      kind === "reindex" ? 1_000 : null,
      JSON.stringify(state),
    );
  }
}

describe("rows of an earlier version", () => {
  it("count as none", async () => {
    await inCatalog((c) => {
      writeOlderRows(c);
      for (const { status } of RUNS) expect(status(c)).toBeUndefined();
      expect(nextStepTime(c, RUNS)).toBeUndefined();
    });
  });

  it("tell when a run has ended", async () => {
    await inCatalog((c) => {
      writeOlderRows(c);
      expect(lastCompleted(c, "reindex")).toBe(1_000);
      expect(lastCompleted(c, "gc")).toBeUndefined();
      expect(isIndexed(c)).toBe(true);
    });
  });

  it("delay no deletion", async () => {
    const [path] = await published("a-1.0");
    await inCatalog(writeOlderRows);
    const hash = path?.info.storePath.hash ?? "";
    expect((await value(catalog().deletePath(hash, false))).deleted).toHaveLength(1);
    await inCatalog((c) => expect(REINDEX.status(c)).toBeUndefined());
  });

  it("have the alarm reindex once more before it sweeps", async () => {
    await inCatalog(async (c, { storage }) => {
      writeOlderRows(c);
      c.sql.exec(
        `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
         VALUES ('nar/due.nar', 9, NULL, 1, 0, 0, 1)`,
      );
      await storage.setAlarm(c.now());
    });
    await runDurableObjectAlarm(catalog());
    expect(await value(catalog().reindexStatus())).toMatchObject({ done: true });
  });

  it("do not let a collection begin before a reindex has met again what it cannot read", async () => {
    const [old] = await published("old");
    const { key, narKey, nar, text, info } = await testPath("app-1.0");
    await env.BUCKET.put(narKey, nar);
    await env.BUCKET.put(key, `${text}CA: fixed:r:blake9:${"0".repeat(52)}\n`);
    await inCatalog(writeOlderRows);
    const report = await inCatalog((c) => collect(c, FORCE), daysLater(100, MONTH));
    expect(report.stopped).toContain(`${info.storePath.hash}.narinfo in the bucket cannot be read here`);
    expect(report).toMatchObject({ removed: { paths: 0 } });
    expect(await env.BUCKET.head(old?.key ?? "")).not.toBeNull();
    expect(await value(catalog().reindexStatus())).toMatchObject({ done: true, unreadable: { count: 1 } });
  });

  it("are replaced by the next request", async () => {
    await inCatalog(async (c) => {
      writeOlderRows(c);
      c.sql.exec("INSERT INTO marks (key, living, level, state) VALUES (?, 0, 0, 'dead')", "4".repeat(32));
      expect(await check(c)).toMatchObject({ done: true, repair: false });
      expect(await collect(c)).toMatchObject({ done: true, dead: { paths: 0 } });
      expect(c.sql.exec("SELECT count(*) AS n FROM marks").one()).toEqual({ n: 0 });
      expect([CHECK, COLLECT, RESIGN].map(({ status }) => status(c) !== undefined)).toEqual([
        true,
        true,
        false,
      ]);
    });
  });
});
