/** Sweeps: a NAR goes when nothing has needed it for its grace period, and not before. */
// @module-tag slow
import { reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { announceNar, touchNar } from "../../../src/catalog/publish/announce-nar.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { type Swept, sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { failing, type Interference, isDelete, losingAnswers, losingRequests } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { publishing, type Recorded, recorded, rowsOf, storeNar } from "../../support/catalog.ts";
import { hashOf, withInfo } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import {
  catalog,
  forgetAlarm,
  HOUR_MS,
  inCatalog,
  later,
  NAR_GRACE_MS,
  publishPath,
  value,
} from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

/** A sweep without a grace period, a moment after everything else. */
function sweeping(interference: Interference = {}): Promise<Recorded<Swept>> {
  return recorded((c) => sweepNars(c, 0), interference, { now: () => Date.now() + 1000 });
}

/** A path that has been pushed and deleted: its NAR is still here. */
async function deletedPath(): Promise<TestPath> {
  const path = await testPath();
  await publishPath(path);
  await inCatalog((c) => deletePath(c, hashOf(path), false));
  return path;
}

/** The same NAR as another path's. */
async function sharing(path: TestPath): Promise<TestPath> {
  const { url, narHash, narSize, fileHash, fileSize } = path.info;
  const other = await testPath("other-1.0");
  const info = {
    ...other.info,
    url,
    narHash,
    narSize,
    ...(fileHash && { fileHash }),
    ...(fileSize && { fileSize }),
  };
  return { ...withInfo(other, info), nar: path.nar, narKey: path.narKey };
}

describe("the grace period of a NAR", () => {
  const HOUR = 3600_000;
  /** What happens how many hours after the deletion, and how many hours after the deletion it is swept at last. */
  const CASES: readonly [
    string,
    number,
    (c: Parameters<typeof sweepNars>[0], path: TestPath) => unknown,
    number,
  ][] = [
    ["is counted from the deletion of its last path", 0, () => undefined, 25],
    [
      "is counted from its next upload",
      10,
      (c, path) => announceNar(c, { key: path.narKey, size: path.nar.length }),
      35,
    ],
    [
      "is counted from the last time that a pusher asked for it",
      10,
      (c, path) => touchNar(c, path.narKey),
      35,
    ],
    [
      "is counted from the deletion of the very last path that has it",
      10,
      async (c, path) => {
        const other = await sharing(path);
        await publish(c, other.text, "tester");
        await deletePath(c, hashOf(other), false);
      },
      35,
    ],
  ];

  it.each(CASES)("%s", async (_, hours, event, end) => {
    const path = await deletedPath();
    const start = Date.now();
    const at = (hours: number) => ({ now: () => start + hours * HOUR + 5000 });
    await inCatalog((c) => event({ ...c, ...at(hours) }, path));
    const early = await recorded((c) => sweepNars(c), {}, at(end - 0.1));
    expect(early).toMatchObject({ result: { deletedNars: 0 }, operations: [] });
    const { next = 0 } = early.result as Swept;
    expect(Math.abs(next - start - end * HOUR)).toBeLessThan(10_000);
    expect((await recorded((c) => sweepNars(c), {}, at(end))).result).toEqual({ deletedNars: 1 });
    expect(await keys()).toEqual([]);
    expect((await inCatalog((c) => c.config)).graceMs).toBe(25 * HOUR);
  });
});

describe("a sweep", () => {
  it("deletes NARs in one operation and one purge, and forgets them", async () => {
    const path = await deletedPath();
    expect(await sweeping()).toMatchObject({
      result: { deletedNars: 1 },
      operations: [`delete ${path.narKey}`],
      purged: [[`/${path.narKey}`]],
    });
    expect(await keys()).toEqual([]);
    expect(await rowsOf("SELECT * FROM nars")).toEqual([]);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
    expect(await sweeping()).toMatchObject({ result: { deletedNars: 0 }, operations: [] });
  });

  it("leaves NARs that a path has, and those that never had one", async () => {
    const [kept, uploaded] = [await testPath("kept"), await testPath("uploaded")];
    await publishPath(kept);
    await inCatalog((c) => announceNar(c, { key: uploaded.narKey, size: uploaded.nar.length }));
    await storeNar(uploaded);
    expect((await sweeping()).result).toEqual({ deletedNars: 0 });
    expect(await keys()).toEqual([kept.key, kept.narKey, uploaded.narKey].sort());
  });

  it("leaves a NAR that another path has", async () => {
    const path = await testPath();
    const other = await sharing(path);
    for (const one of [path, other]) await publishPath(one);
    await inCatalog((c) => deletePath(c, hashOf(path), false));
    expect((await sweeping()).result).toEqual({ deletedNars: 0 });
  });

  it("takes the NAR that healing has replaced", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.put(path.narKey, "damaged");
    const other = await testPath("hello-1.0", "another build");
    await publishPath(other);
    expect((await sweeping()).result).toEqual({ deletedNars: 1 });
    expect(await keys()).toEqual([path.key, other.narKey].sort());
  });

  it("takes as many as R2 deletes in one call, and the rest right after", async () => {
    await inCatalog(({ sql }) =>
      sql.exec(
        `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1499)
         SELECT 'nar/' || i, 1, NULL, 1, 0, 0, i FROM n`,
      ),
    );
    const { result, operations } = await sweeping();
    expect(operations.length).toBe(1);
    expect(result).toMatchObject({ deletedNars: 1000, next: expect.closeTo(Date.now() + 1000, -4) });
    expect((await sweeping()).result).toEqual({ deletedNars: 500 });
  });

  it("leaves a NAR that a publication under way relies on, and does not ask for it without pause", async () => {
    const path = await deletedPath();
    const other = await sharing(path);
    let swept: unknown;
    await recorded((c) =>
      publishing(other.text, {
        before: async ({ name }) => {
          if (name === "put") swept = await sweepNars({ ...c, now: () => Date.now() + 1000 }, 0);
        },
      }).then(({ result }) => expect(result).toBe("created")),
    );
    expect(swept).toEqual({ deletedNars: 0, next: expect.closeTo(Date.now() + 61_000, -4) });
    expect(await keys()).toContain(path.narKey);
  });

  it("leaves a NAR that a publication may have relied on that got no answer", async () => {
    const path = await deletedPath();
    await publishing(
      path.text,
      losingAnswers(({ name }) => name === "put"),
    );
    expect((await sweeping()).result).toMatchObject({ deletedNars: 0 });
    expect(await keys()).toEqual([path.key, path.narKey]);
    expect((await recorded((c) => sweepNars(c, 0), {}, later())).result).toEqual({ deletedNars: 0 });
    expect(await rowsOf("SELECT nar FROM paths")).toEqual([{ nar: path.narKey }]);
  });
});

describe("a deletion that failed", () => {
  it("is tried again by the next alarm, although no NAR waits for it any more", async () => {
    const { narKey } = await deletedPath();
    expect((await sweeping(failing(isDelete))).result).toMatchObject({ status: 503 });
    expect(await keys()).toEqual([narKey]);
    await inCatalog(async ({ sql }, { storage }) => {
      sql.exec("UPDATE pending SET begun = begun - ?", HOUR_MS);
      await storage.setAlarm(Date.now() + HOUR_MS);
    });
    await runDurableObjectAlarm(catalog());
    expect(await keys()).toEqual([]);
  });
});

describe("a NAR that is being deleted", () => {
  it("is not there for a publication, which waits for the end of it", async () => {
    const path = await deletedPath();
    let publication: Promise<Recorded<string>> | undefined;
    await sweeping({
      before: async (operation) => {
        if (!isDelete(operation)) return;
        publication = publishing(path.text);
        // Time enough to look for the NAR, if it did not wait.
        await Promise.race([publication, scheduler.wait(50)]);
      },
    });
    expect(await publication).toMatchObject({
      result: { status: 409, message: expect.stringContaining("is not in this cache") },
    });
    expect(await keys()).toEqual([]);
  });

  it("is uploaded after that", async () => {
    const path = await deletedPath();
    let expected: Promise<unknown> | undefined;
    await recorded((c) =>
      sweeping({
        before: (operation) => {
          if (isDelete(operation)) expected = announceNar(c, { key: path.narKey, size: path.nar.length });
        },
        after: async (operation) => {
          if (isDelete(operation)) expect(await rowsOf("SELECT * FROM nars")).toEqual([]);
        },
      }),
    );
    await expected;
    expect(await rowsOf("SELECT key, is_stored FROM nars")).toEqual([{ key: path.narKey, is_stored: 0 }]);
  });

  it("and whose deletion got no answer can be uploaded when nothing can come of it any more", async () => {
    const path = await deletedPath();
    expect((await sweeping(losingAnswers(isDelete))).result).toMatchObject({ status: 503 });
    const { operations, waited } = await recorded((c) =>
      announceNar(c, { key: path.narKey, size: path.nar.length }),
    );
    expect(operations).toEqual([`delete ${path.narKey}`]);
    expect(waited).toEqual([expect.closeTo(31_000, -4)]);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("and whose deletion never arrived is kept where a publication relies on it", async () => {
    const path = await deletedPath();
    await sweeping(losingRequests(isDelete));
    expect(await rowsOf("SELECT * FROM nars")).toEqual([]);
    expect(await publishing(path.text)).toMatchObject({ result: "created" });
    await recorded((c) => resolveExpired(c), {}, later());
    expect(await keys()).toEqual([path.key, path.narKey]);
    expect(await rowsOf("SELECT key, released FROM nars")).toEqual([{ key: path.narKey, released: null }]);
  });

  it("and whose deletion failed is deleted later, with all others in one operation", async () => {
    const paths = await Promise.all(["one", "two", "three"].map((name) => testPath(name)));
    for (const path of paths) await publishPath(path);
    for (const path of paths) await inCatalog((c) => deletePath(c, hashOf(path), false));
    await sweeping(failing(isDelete));
    const { operations, purged } = await recorded((c) => resolveExpired(c));
    expect(operations.length).toBe(1);
    expect(purged.map((list) => [...list].sort())).toEqual([paths.map(({ narKey }) => `/${narKey}`).sort()]);
    expect(await keys()).toEqual([]);
  });
});

describe("the alarm", () => {
  const alarm = () => runInDurableObject(catalog(), (_, { storage }) => storage.getAlarm());

  it("is set for the end of the grace period before anything is deleted", async () => {
    const path = await testPath();
    await publishPath(path);
    await forgetAlarm();
    await value(catalog().deletePath(hashOf(path), false));
    expect(await alarm()).toEqual(expect.closeTo(Date.now() + NAR_GRACE_MS, -4));
  });

  it("is set when healing replaces a NAR", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.put(path.narKey, "damaged");
    await publishPath(await testPath("hello-1.0", "another build"));
    // That of the verification comes first.
    await runDurableObjectAlarm(catalog());
    expect(await alarm()).toEqual(expect.closeTo(Date.now() + NAR_GRACE_MS, -4));
  });

  it("sweeps, and is set again while a NAR waits", async () => {
    const [gone, waits] = [await testPath("gone"), await testPath("waits")];
    for (const path of [gone, waits]) {
      await publishPath(path);
      await value(catalog().deletePath(hashOf(path), false));
    }
    const now = Date.now();
    await inCatalog(({ sql }) =>
      sql.exec(
        "UPDATE nars SET released = ?, uploaded = 0, seen = 0 WHERE key = ?",
        now - NAR_GRACE_MS,
        gone.narKey,
      ),
    );
    await runDurableObjectAlarm(catalog());
    expect(await keys()).toEqual([waits.narKey]);
    expect(await alarm()).toEqual(expect.closeTo(now + NAR_GRACE_MS, -4));
  });
});
