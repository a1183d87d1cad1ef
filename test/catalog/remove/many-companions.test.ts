/** NARs with more companions than one deletion takes along, and keys that cannot be handled. */
import { reset, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { announceCompanion } from "../../../src/catalog/publish/last-use.ts";
import { resolveExpired, resolveNext } from "../../../src/catalog/publish/resolve.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { MAX_COMPANIONS, saveCompanion } from "../../../src/catalog/rows/companions.ts";
import { findingsOf } from "../../../src/catalog/rows/findings.ts";
import { recordIntent } from "../../../src/catalog/rows/intents.ts";
import { saveAnnouncedNar } from "../../../src/catalog/rows/nars.ts";
import { recorded, rowsOf } from "../../support/catalog.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, HOUR_MS, inCatalog, reindex } from "../../support/runs.ts";

captureLog();
afterEach(() => reset());

const NAR = `nar/${"0".repeat(52)}.nar`;
const OTHER_NAR = `nar/${"1".repeat(52)}.nar`;
const debugKey = (n: number) => `debuginfo/${n.toString(16).padStart(40, "0")}`;

/** NARs that are due for the sweep. */
async function dueNars(...keys: readonly string[]): Promise<void> {
  await inCatalog((c) => reindex(c));
  await inCatalog((c) => {
    for (const key of keys) {
      saveAnnouncedNar(c, { key, size: 5 });
      c.sql.exec("UPDATE nars SET is_stored = 1, released = 1, uploaded = 1, seen = 1 WHERE key = ?", key);
    }
  });
}

function ownMany(c: CatalogContext, count: number, owner = NAR): void {
  c.transaction(() => {
    for (let n = 0; n < count; n++) saveCompanion(c, debugKey(n), owner);
  });
}

const nextMinute = (n: number) => ({ now: () => Date.now() + n * 60_000 });

describe("a NAR with many companions", () => {
  it("goes with all of them, in intents of bounded size, and keeps no other", async () => {
    await dueNars(NAR, OTHER_NAR);
    await env.BUCKET.put(debugKey(0), "{}");
    await env.BUCKET.put(debugKey(1999), "{}");
    await inCatalog((c) => ownMany(c, 2000));
    await inCatalog((c) => sweepNars(c));
    expect(await rowsOf("SELECT key FROM nars")).toEqual([]);
    let most = 0;
    for (let minute = 1; minute < 8; minute++) {
      const [row] = await rowsOf<{ size: number }>("SELECT max(length(objects)) AS size FROM pending");
      most = Math.max(most, row?.size ?? 0);
      await inCatalog((c) => resolveExpired(c), nextMinute(minute));
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(100_000);
    expect(await rowsOf("SELECT key FROM companions")).toEqual([]);
    expect(await rowsOf("SELECT key FROM pending")).toEqual([]);
    expect((await env.BUCKET.list()).objects).toEqual([]);
  });

  it("goes by alarms alone", async () => {
    await dueNars(NAR);
    await inCatalog((c) => ownMany(c, 1500));
    await inCatalog((_, { storage }) => storage.setAlarm(Date.now()));
    for (let alarm = 0; alarm < 8; alarm++) await runDurableObjectAlarm(catalog());
    expect(await rowsOf("SELECT key FROM companions")).toEqual([]);
    expect(await rowsOf("SELECT key FROM pending")).toEqual([]);
  });

  it("keeps those that are left if it is announced again meanwhile", async () => {
    await dueNars(NAR);
    await inCatalog((c) => ownMany(c, 1500));
    await inCatalog((c) => sweepNars(c));
    await inCatalog((c) => saveAnnouncedNar(c, { key: NAR, size: 5 }));
    await inCatalog((c) => resolveExpired(c), nextMinute(1));
    expect(await rowsOf("SELECT key FROM pending")).toEqual([]);
    expect(await rowsOf("SELECT key FROM companions")).toHaveLength(1500 - MAX_COMPANIONS);
  });

  it("takes no more than it may have; one that it has may be sent again", async () => {
    await inCatalog((c) => ownMany(c, MAX_COMPANIONS));
    const announce = (n: number) => recorded((c) => announceCompanion(c, debugKey(n), NAR));
    expect((await announce(MAX_COMPANIONS)).result).toMatchObject({
      status: 409,
      message: expect.stringContaining(`${NAR} has ${MAX_COMPANIONS} such objects`),
    });
    expect((await announce(MAX_COMPANIONS - 1)).result).toBeUndefined();
    const elsewhere = await recorded((c) => announceCompanion(c, debugKey(MAX_COMPANIONS), OTHER_NAR));
    expect(elsewhere.result).toBeUndefined();
  });
});

describe("a key that cannot be handled", () => {
  it("becomes a finding of the sweep, and keeps no other", async () => {
    await dueNars(NAR, OTHER_NAR);
    await inCatalog(async (c) => {
      const exec: SqlStorage["exec"] = (query, ...bindings) => {
        if (query.startsWith("INSERT INTO pending") && bindings.includes(NAR)) throw new Error("too big");
        return c.sql.exec(query, ...bindings);
      };
      const sql = { exec } as SqlStorage;
      expect(await sweepNars({ ...c, sql })).toMatchObject({ deletedNars: 1 });
      expect(findingsOf(c, "gc", "stuck-deletion", 10)).toMatchObject({ first: [{ name: NAR }] });
    });
    expect(await rowsOf("SELECT key FROM nars")).toEqual([{ key: NAR }]);
    // It waits for another grace period, so the next sweep begins with others.
    expect(await rowsOf("SELECT key FROM nars WHERE released > 1")).toEqual([{ key: NAR }]);
  });

  it("becomes a finding where the bucket refuses it, and keeps no other intent", async () => {
    await inCatalog(async (c) => {
      for (const key of [OTHER_NAR, NAR, "nar/c.nar", "nar/d.nar"])
        recordIntent(c, { kind: "delete-nar", key });
      const bucket = {
        delete: async (keys: string[]) => {
          if (keys.includes(NAR)) throw new Error("delete: no such name is allowed (10020)");
        },
      } as unknown as R2Bucket;
      await resolveExpired({ ...c, bucket, now: () => Date.now() + HOUR_MS });
      expect(findingsOf(c, "gc", "stuck-deletion", 10)).toMatchObject({ count: 1, first: [{ name: NAR }] });
    });
    expect(await rowsOf("SELECT key FROM pending")).toEqual([{ key: NAR }]);
  });

  it("is no finding in an outage", async () => {
    await inCatalog(async (c) => {
      for (const key of [OTHER_NAR, NAR]) recordIntent(c, { kind: "delete-nar", key });
      const bucket = {
        delete: async () => {
          throw new Error("delete: we are down (10001)");
        },
      } as unknown as R2Bucket;
      await resolveExpired({ ...c, bucket, now: () => Date.now() + HOUR_MS });
      expect(findingsOf(c, "gc", "stuck-deletion", 10)).toMatchObject({ count: 0 });
    });
  });
});

describe("many intents", () => {
  it("are resolved in turn, a bounded number in each call", async () => {
    await inCatalog(async (c) => {
      c.transaction(() => {
        for (let n = 0; n < 1000; n++) recordIntent(c, { kind: "delete-nar", key: `nar/${n}.nar` });
      });
      const calls: number[] = [];
      const later = { ...c, now: () => Date.now() + HOUR_MS };
      for (let more = true; more; ) {
        const before = c.sql.exec("SELECT 1 FROM pending").toArray().length;
        more = await resolveNext(later);
        calls.push(before - c.sql.exec("SELECT 1 FROM pending").toArray().length);
      }
      expect(calls.filter((count) => count > 0)).toEqual([200, 200, 200, 200, 200]);
    });
  });

  it("that are large are resolved few at a time", async () => {
    await inCatalog(async (c) => {
      const objects = Array.from({ length: 512 }, (_, n) => `debuginfo/${"x".repeat(500)}${n}`);
      for (let n = 0; n < 10; n++) recordIntent(c, { kind: "delete-nar", key: `nar/${n}.nar`, objects });
      await resolveExpired({ ...c, now: () => Date.now() + HOUR_MS });
      expect(c.sql.exec("SELECT 1 FROM pending").toArray()).toHaveLength(9);
    });
  });
});
