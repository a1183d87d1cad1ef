/** Large deletions: a path with more referrers than one request deletes. */
import { evictDurableObject, reset, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { DeletionReport } from "../../../src/contract/runs.ts";
import { rowsOf } from "../../support/catalog.ts";
import { indexMadeUp, indexReferrers, madeUpHash } from "../../support/many.ts";
import { catalog, inCatalog, reindex, value } from "../../support/runs.ts";

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
    const referrers = await withReferrers(4000);
    const report = (await remove()) as DeletionReport;
    expect(report).toMatchObject({ kind: "deletion", done: false, path: `${ROOT}-made-up` });
    expect(report.status_url).toBe("/api/v1/deletion");
    const end = await toEnd();
    expect(end).toMatchObject({ found: referrers.length + 2, deleted: referrers.length + 2 });
    expect(await hashes()).toEqual([OTHER]);
    expect(await rowsOf("SELECT * FROM doomed")).toEqual([]);
    expect(await rowsOf("SELECT * FROM refs")).toEqual([]);
  });
});
