/** Large deletions: a path with more referrers than one request deletes. */
// @module-tag slow
import { evictDurableObject, reset, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { RUNS } from "../../../src/catalog/catalog.ts";
import { DELETION } from "../../../src/catalog/deletion/deletion.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { continueRuns, requestRun } from "../../../src/catalog/runs/engine.ts";
import type { PinRequest } from "../../../src/contract/pins.ts";
import type { DeletionReport } from "../../../src/contract/runs.ts";
import { failing, isDelete } from "../../support/bucket.ts";
import { recorded, rowsOf } from "../../support/catalog.ts";
import { captureLog } from "../../support/log.ts";
import { indexMadeUp, indexReferrers, madeUpHash } from "../../support/many.ts";
import { catalog, inCatalog, reindex, value } from "../../support/runs.ts";

captureLog();
afterEach(() => reset());

const ROOT = madeUpHash("0", 0);
const OTHER = madeUpHash("0", 1);

/** A path to which `count` refer, and another to which one of these refers, too. */
async function withReferrers(count: number): Promise<string[]> {
  await inCatalog((c) => reindex(c));
  return inCatalog((c) => {
    indexMadeUp(c, ROOT, []);
    indexMadeUp(c, OTHER, []);
    const referrers = indexReferrers(c, "1", count, ROOT);
    indexMadeUp(c, madeUpHash("2", 0), [ROOT, OTHER]);
    return referrers;
  });
}

const remove = (hash = ROOT) => value(catalog().deletePath(hash, true));
const hashes = async () => (await rowsOf<{ hash: string }>("SELECT hash FROM paths")).map(({ hash }) => hash);

async function toEnd(): Promise<DeletionReport> {
  for (let alarm = 0; alarm < 200; alarm++) {
    const report = await value(catalog().deletionStatus());
    if (report?.done) return report;
    await runDurableObjectAlarm(catalog());
    await evictDurableObject(catalog());
  }
  throw new Error("the deletion does not end");
}

describe("a deletion", () => {
  it("of few paths answers with all of them", async () => {
    await withReferrers(98);
    const answer = await remove();
    expect(answer).toMatchObject({ deleted: expect.arrayContaining([`${ROOT}-made-up`]) });
    expect(await hashes()).toEqual([OTHER]);
  });

  it("of more paths answers with a report, and alarms do the rest", async () => {
    const referrers = await withReferrers(2500);
    const report = (await remove()) as DeletionReport;
    expect(report).toMatchObject({ kind: "deletion", done: false, path: `${ROOT}-made-up` });
    expect(report.status_url).toBe("/api/v1/deletion");
    const end = await toEnd();
    expect(end).toMatchObject({ found: referrers.length + 2, deleted: referrers.length + 2 });
    expect(await hashes()).toEqual([OTHER]);
    expect(await rowsOf("SELECT * FROM doomed")).toEqual([]);
    expect(await rowsOf("SELECT * FROM refs")).toEqual([]);
  });

  it("with the NARs leaves none of them, without a grace period", async () => {
    await withReferrers(350);
    const nars = await rowsOf("SELECT key FROM nars");
    expect(nars.length).toBeGreaterThan(300);
    expect(await value(catalog().deletePath(ROOT, true, true))).toMatchObject({
      kind: "deletion",
      now: true,
    });
    await toEnd();
    await runDurableObjectAlarm(catalog());
    expect(await hashes()).toEqual([OTHER]);
    expect(await rowsOf("SELECT key FROM nars WHERE released IS NOT NULL")).toEqual([]);
    expect(await rowsOf("SELECT key FROM nars")).toHaveLength(1);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("costs no step more where more paths refer to it", async () => {
    const most: number[] = [];
    for (const count of [1200, 2400]) {
      await withReferrers(count);
      await inCatalog(async (c) => {
        await requestRun(c, DELETION, { hash: ROOT });
        const costs: number[] = [];
        for (let job = DELETION.load(c); job?.run.finished === undefined; job = DELETION.load(c)) {
          const { context, spent } = metered(c);
          await job?.step(context);
          costs.push(spent().rows_read + spent().rows_written);
        }
        most.push(Math.max(...costs));
      });
    }
    expect(most[1]).toBeLessThan((most[0] ?? 0) * 1.1);
    expect(most[0]).toBeLessThan(50_000);
  });

  it("goes level by level, whatever the order of the hash parts", async () => {
    await inCatalog((c) => reindex(c));
    const chain = await inCatalog((c) => {
      // Each refers to the one before and to the root: a chain of 300 levels, which ends at both ends of the order.
      const hashes = Array.from({ length: 300 }, (_, n) => madeUpHash(n % 2 === 0 ? "1" : "z", n));
      hashes.forEach((hash, n) => {
        indexMadeUp(c, hash, n === 0 ? [] : [hashes[n - 1] ?? "", hashes[0] ?? ""]);
      });
      return hashes;
    });
    const order: string[] = [];
    await inCatalog(async (c) => {
      const purge = async (paths: readonly string[]) =>
        void order.push(
          ...paths.filter((path) => path.endsWith(".narinfo")).map((path) => path.slice(1, 33)),
        );
      await requestRun({ ...c, purge }, DELETION, { hash: chain[0] ?? "" });
      while (DELETION.load(c)?.run.finished === undefined) await continueRuns({ ...c, purge }, [DELETION]);
    });
    expect(order).toEqual(chain.toReversed());
  });

  it("takes paths along that refer to each other, as in an open cache", async () => {
    await withReferrers(150);
    const [one, two] = [madeUpHash("3", 1), madeUpHash("3", 2)];
    await inCatalog((c) => {
      indexMadeUp(c, one, [two, ROOT]);
      indexMadeUp(c, two, [one]);
    });
    await remove();
    expect(await toEnd()).toMatchObject({ found: 154, deleted: 154 });
    expect(await hashes()).toEqual([OTHER]);
  });

  it("deletes nothing where one of the paths is pinned, and says which", async () => {
    const referrers = await withReferrers(1500);
    const last = referrers.at(-1) ?? "";
    await value(
      catalog().putPin("deployed", { hash: last, name: "made-up", keep: {} } as PinRequest, "test"),
    );
    await remove();
    const { done, deleted, stopped } = await toEnd();
    expect({ done, deleted }).toEqual({ done: true, deleted: 0 });
    expect(stopped).toMatch(new RegExp(`${last} refers to it and is kept by the pins deployed`));
    expect(await hashes()).toHaveLength(referrers.length + 3);
  });

  it("of the same path is asked for again, of another one is refused", async () => {
    await withReferrers(1500);
    await remove();
    expect(await remove()).toMatchObject({ kind: "deletion", path: `${ROOT}-made-up` });
    await inCatalog((c) => void indexReferrers(c, "4", 200, OTHER));
    expect(await catalog().deletePath(OTHER, true)).toMatchObject({
      refusal: { kind: "deletion-under-way", path: `${ROOT}-made-up` },
    });
    await toEnd();
    expect(await remove(OTHER)).toMatchObject({ kind: "deletion" });
    expect(await toEnd()).toMatchObject({ deleted: 201 });
  });

  it("takes along what begins to refer to it meanwhile", async () => {
    await withReferrers(1500);
    await remove();
    let added = 0;
    for (; (await hashes()).includes(ROOT); added++) {
      await inCatalog((c) => indexMadeUp(c, madeUpHash("5", added), [ROOT]));
      await runDurableObjectAlarm(catalog());
    }
    expect(added).toBeGreaterThan(1);
    expect(await toEnd()).toMatchObject({ deleted: 1502 + added });
    expect(await hashes()).toEqual([OTHER]);
  });

  it("of a path that is referred to is refused at once, however many refer to it", async () => {
    await withReferrers(3000);
    await inCatalog(async (c) => {
      const { context, spent } = metered(c);
      await expect(deletePath(context, ROOT, false)).rejects.toMatchObject({ refusal: { kind: "referred" } });
      expect(spent().rows_read).toBeLessThan(6000);
    });
  });
});

describe("an outage of the bucket", () => {
  it("leaves a bounded number of intents, and the deletion goes on after it", async () => {
    await withReferrers(3000);
    await recorded(async (c) => {
      await requestRun(c, DELETION, { hash: ROOT });
      for (let n = 0; n < 40; n++) await continueRuns({ ...c, now: () => Date.now() + n * 3600_000 }, RUNS);
    }, failing(isDelete));
    const [{ count } = { count: 0 }] = await rowsOf<{ count: number }>(
      "SELECT count(*) AS count FROM pending",
    );
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(1200);
    await inCatalog(
      async (c) => {
        while (DELETION.load(c)?.run.finished === undefined) await continueRuns(c, RUNS);
        await resolveExpired(c);
      },
      { now: () => Date.now() + 100 * 3600_000 },
    );
    expect(await hashes()).toEqual([OTHER]);
  });
});
