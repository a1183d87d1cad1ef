import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { deletePath, sweepNars } from "../../src/catalog/delete.ts";
import { expectNar } from "../../src/catalog/nars.ts";
import { recover } from "../../src/catalog/pending.ts";
import { publish } from "../../src/catalog/publish.ts";
import { REINDEX_STEPS, reindexReport } from "../../src/catalog/reindex.ts";
import { startRun } from "../../src/catalog/runs.ts";
import { MAX_OPERATIONS } from "../../src/catalog/scan.ts";
import { continueRuns, RETRY_MS, requestRun } from "../../src/catalog/steps.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { narInfos } from "../nix/fixtures.ts";
import { failing, type Operation, watch } from "../support/bucket.ts";
import { closure, hashOf, publishClosure } from "../support/closure.ts";
import { captureLog } from "../support/log.ts";
import {
  catalog,
  dyingAtEveryOperation,
  inCatalog,
  inSmallPages,
  NAR_GRACE_MS,
  publishPath,
  reindex,
  rows,
  storePath,
  untilDone,
  value,
} from "../support/runs.ts";
import { type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

/** The Durable Object loses all that it knows. */
async function wipe(): Promise<void> {
  await inCatalog((_, state) => state.storage.deleteAll());
  await evictDurableObject(catalog());
}

/** 20 bytes, as in a store path's hash part. */
function hashBytes(n: number): Uint8Array {
  return new Uint8Array(20).map((_, index) => n >> (8 * (index % 4)));
}

describe("a reindex", () => {
  it("of an empty bucket is done at once", async () => {
    expect(await value(catalog().reindex({}))).toMatchObject({
      ...{ kind: "reindex", done: true, narinfos: 0, nars: 0, indexed: 0, removed: 0 },
      unreadable: { count: 0, repaired: 0, first: [] },
      unreadablePins: { count: 0, repaired: 0, first: [] },
    });
  });

  it("brings a lost catalog back as it was", async () => {
    const { app } = await publishClosure();
    // First push and last push are different times, and by different pushers.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const signature = `signer-1:${new Uint8Array(64).toBase64()}`;
    await value(catalog().publish(`${app.text}Sig: ${signature}\n`, "another pusher"));
    const before = await inCatalog(rows);
    expect(before.paths.find(({ hash }) => hash === hashOf(app))).toMatchObject({
      ...{ pushed_by: "another pusher", signers: "signer-1", incomplete: 0 },
    });
    await wipe();
    expect(await inCatalog(({ sql }) => sql.exec("SELECT * FROM paths").toArray())).toEqual([]);
    expect(await value(catalog().reindex({}))).toMatchObject({
      done: true,
      narinfos: 3,
      nars: 3,
      indexed: 3,
    });
    expect(await inCatalog(rows)).toEqual(before);
  });

  it("of a bucket that it knows reads no object and writes no row", async () => {
    await publishClosure();
    const { operations, rowsBefore, rowsAfter } = await inCatalog(async (c) => {
      const watched = watch(c.bucket);
      await reindex(c);
      const rowsBefore = rows(c);
      await reindex({ ...c, bucket: watched.bucket });
      return { operations: watched.operations.map(({ name }) => name), rowsBefore, rowsAfter: rows(c) };
    });
    expect(operations).toEqual(Array(6).fill("list"));
    expect(rowsAfter).toEqual(rowsBefore);
  });

  it("leaves everything but narinfos and NARs alone", async () => {
    const { library: path } = await closure();
    for (const key of [
      "nix-cache-info",
      `${hashOf(path)}.ls`,
      "log/x.drv",
      "debuginfo/x",
      "x.narinfo",
      "deep/a.narinfo",
    ]) {
      await env.BUCKET.put(key, "something");
    }
    await storePath(path);
    expect(await inCatalog(reindex)).toMatchObject({
      narinfos: 1,
      nars: 1,
      indexed: 1,
      unreadable: { count: 0 },
    });
    expect((await inCatalog(rows)).nars).toHaveLength(1);
  });
});

describe("a bucket that other tools have filled", () => {
  const FOLDERS = [...new Set(narInfos.map(({ version, folder }) => `${version}/${folder}`))];

  it.each(FOLDERS)("Nix %s: becomes fully known", async (name) => {
    const fixtures = narInfos.filter(({ version, folder }) => `${version}/${folder}` === name);
    for (const { hash, text } of fixtures) {
      await env.BUCKET.put(`${hash}.narinfo`, text);
      const [, key = ""] = /^URL: (.*)$/m.exec(text) ?? [];
      await env.BUCKET.put(key, new Uint8Array(Number(/^FileSize: (\d+)$/m.exec(text)?.[1])));
    }
    await env.BUCKET.put("nix-cache-info", "StoreDir: /nix/store\n");
    const report = await value(catalog().reindex({}));
    expect(report).toMatchObject({ done: true, indexed: fixtures.length, nars: fixtures.length });
    const { paths, nars, refs } = await inCatalog(rows);
    expect(paths.map(({ hash }) => hash)).toEqual(fixtures.map(({ hash }) => hash).sort());
    expect(paths.every((row) => row.pushed_by === "found in the bucket" && row.incomplete === 0)).toBe(true);
    expect(nars.every((row) => row.is_stored === 1 && row.sha256 === null)).toBe(true);
    const referring = fixtures.flatMap(({ text }) => /^References: (.*)$/m.exec(text)?.[1]?.split(" ") ?? []);
    expect(refs.length).toBeLessThanOrEqual(referring.length);
    expect(await value(catalog().missing(fixtures.map(({ hash }) => hash)))).toEqual([]);
    expect(await value(catalog().check({}))).toMatchObject({ done: true, clean: true });
  });

  it("may name its NARs as it likes, and compress its narinfos", async () => {
    const odd = await testPath("odd-1.0", "odd", { url: "nar/by%20name/odd.nar?hash=1" });
    const { url: _, ...rest } = odd.info;
    const info = { ...rest, url: "nar/by-name/odd-1.0.nar?hash=1" };
    await env.BUCKET.put("nar/by-name/odd-1.0.nar", odd.nar);
    await env.BUCKET.put(odd.key, gzipSync(formatNarInfo(info)), {
      httpMetadata: { contentEncoding: "gzip" },
    });
    await env.BUCKET.put("nar/ünknown", "of no narinfo");
    expect(await inCatalog(reindex)).toMatchObject({ indexed: 1, nars: 1, unreadable: { count: 0 } });
    const { paths, nars } = await inCatalog(rows);
    expect(paths).toMatchObject([{ nar: "nar/by-name/odd-1.0.nar", name: "odd-1.0" }]);
    expect(nars).toEqual([
      { key: "nar/by-name/odd-1.0.nar", size: odd.nar.length, sha256: null, is_stored: 1 },
    ]);
  });

  it("may lack what others refer to: such paths are marked", async () => {
    const { library, app, packed } = await closure();
    await storePath(app);
    await storePath(packed);
    await inCatalog(reindex);
    const incomplete = async () =>
      (await inCatalog(rows)).paths.map((row) => [row.name, row.incomplete]).sort();
    expect(await incomplete()).toEqual([
      ["app-1.0", 1],
      ["packed-1.0", 1],
    ]);
    await storePath(library);
    await inCatalog(reindex);
    expect(await incomplete()).toEqual([
      ["app-1.0", 0],
      ["library-1.0", 0],
      ["packed-1.0", 0],
    ]);
  });

  it("may hold more paths than one step marks", async () => {
    await inCatalog(async (c) => {
      const hashes = JSON.stringify(Array.from({ length: 4500 }, (_, n) => encodeNix32(hashBytes(n))));
      c.sql.exec(
        `INSERT INTO paths SELECT value, 'n', 'nar/n', '', 1, '', 1, 'none', NULL, NULL, '', '', '', 1, 0, 0, '', 0
         FROM json_each(?)`,
        hashes,
      );
      c.sql.exec("INSERT INTO refs SELECT hash, 'nowhere' FROM paths WHERE rowid % 2 = 0");
      const run = startRun(c, "reindex", false);
      run.phase = "references";
      for (let step = 0; run.phase === "references" && step < 10; step++)
        await REINDEX_STEPS.references(c, run);
      expect(run.phase).toBe("companions");
      expect(
        c.sql.exec("SELECT rowid % 2 AS odd, incomplete, count(*) AS n FROM paths GROUP BY 1, 2").toArray(),
      ).toEqual([
        { odd: 0, incomplete: 1, n: 2250 },
        { odd: 1, incomplete: 0, n: 2250 },
      ]);
    });
  });

  it("may hold more than one step does; the alarms do the rest, though the object is evicted", async () => {
    const count = MAX_OPERATIONS + 20;
    await Promise.all(Array.from({ length: count }, async (_, n) => storePath(await testPath(`path-${n}`))));
    const first = await value(catalog().reindex({}));
    expect(first).toMatchObject({ done: false, phase: "narinfos", steps: 1, indexed: MAX_OPERATIONS - 1 });
    // The next step is due at once.
    const due = await inCatalog((_, { storage }) => storage.getAlarm());
    expect((due ?? 0) <= Date.now()).toBe(true);
    await evictDurableObject(catalog());
    expect(await untilDone(() => catalog().reindexStatus())).toMatchObject({
      ...{ done: true, narinfos: count, nars: count, indexed: count, removed: 0, unreadable: { count: 0 } },
    });
    expect((await inCatalog(rows)).paths).toHaveLength(count);
  }, 60_000);
});

describe("what has changed past the catalog", () => {
  it("is taken over: a narinfo that another tool has rewritten", async () => {
    const { library } = await publishClosure();
    const text = `${library.text}Sig: other-1:${new Uint8Array(64).toBase64()}\n`;
    await env.BUCKET.put(library.key, text);
    expect(await inCatalog(reindex)).toMatchObject({ indexed: 1, removed: 0 });
    expect((await inCatalog(rows)).paths.find((row) => row.hash === hashOf(library))).toMatchObject({
      ...{ signers: "other-1", narinfo: text, pushed_by: "found in the bucket" },
    });
  });

  it("is forgotten: a narinfo that is gone", async () => {
    const { library, app, packed } = await publishClosure();
    await env.BUCKET.delete([packed.key, library.key]);
    expect(await inCatalog(reindex)).toMatchObject({ indexed: 0, removed: 2 });
    const { paths, refs } = await inCatalog(rows);
    expect(paths.map((row) => row.hash)).toEqual([hashOf(app)]);
    expect(refs.map((row) => row.referrer)).toEqual([hashOf(app)]);
    expect(await value(catalog().missing([hashOf(app), hashOf(packed)]))).toEqual([hashOf(packed)]);
  });

  it("is forgotten: a NAR that is gone, but not before an upload of it must have come to its end", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.delete(path.narKey);
    expect(await inCatalog(reindex)).toMatchObject({ removed: 0 });
    expect((await inCatalog(rows)).nars).toMatchObject([{ key: path.narKey, is_stored: 0 }]);
    const later = { now: () => Date.now() + NAR_GRACE_MS };
    expect(await inCatalog(reindex, later)).toMatchObject({ removed: 1 });
    expect((await inCatalog(rows)).nars).toEqual([]);
  });

  it("is taken over: a NAR with another size", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.put(path.narKey, "other bytes");
    await inCatalog(reindex);
    expect((await inCatalog(rows)).nars).toMatchObject([{ key: path.narKey, size: 11 }]);
  });

  it("is counted and named, and stops nothing: narinfos that cannot be read", async () => {
    const { library, app } = await publishClosure();
    const broken = await testPath("broken-1.0");
    await env.BUCKET.put(library.key, "StorePath: nonsense\n");
    await env.BUCKET.put(broken.key, app.text);
    const report = await inCatalog(reindex);
    expect(report).toMatchObject({ done: true, narinfos: 4, indexed: 0, removed: 1 });
    expect(report.unreadable).toEqual({
      count: 2,
      repaired: 0,
      first: [
        {
          name: hashOf(broken),
          detail: `StorePath ${app.info.storePath.baseName} is another path`,
          repaired: false,
        },
        {
          name: hashOf(library),
          detail: 'StorePath: "nonsense" is not in the store /nix/store',
          repaired: false,
        },
      ].sort((a, b) => (a.name < b.name ? -1 : 1)),
    });
    // Whoever asks what is missing pushes it again.
    expect(await value(catalog().missing([hashOf(library)]))).toEqual([hashOf(library)]);
  });

  it("names the first 20 of them", async () => {
    for (let n = 0; n < 25; n++) await env.BUCKET.put((await testPath(`p${n}`)).key, "broken");
    const { unreadable } = await inCatalog(reindex);
    expect(unreadable.count).toBe(25);
    expect(unreadable.first).toHaveLength(20);
  });

  it.each([
    [
      "of another store",
      (path: TestPath) => env.BUCKET.put(path.key, path.text.replace("/nix/store/", "/gnu/store/")),
    ],
    ["larger than this catalog reads", (path: TestPath) => env.BUCKET.put(path.key, "x".repeat(2 ** 20 + 1))],
    [
      "in an encoding that this catalog cannot undo",
      (path: TestPath) =>
        env.BUCKET.put(path.key, new Uint8Array([0xfd, 0x37]), { httpMetadata: { contentEncoding: "xz" } }),
    ],
  ])("keeps the row, and so the NAR, of a narinfo %s: it may be sound", async (_, change) => {
    const path = await testPath();
    await publishPath(path);
    await change(path);
    expect(await inCatalog(reindex)).toMatchObject({ removed: 0, unreadable: { count: 1 } });
    expect((await inCatalog(rows)).paths).toHaveLength(1);
  });
});

describe("a reindex that is interrupted", () => {
  it.each(["before", "after"] as const)("%s any operation gives the same result", async (when) => {
    const { library, app, packed } = await closure();
    const gone = await testPath("gone-1.0");
    await publishPath(gone);
    await env.BUCKET.delete([gone.key, gone.narKey]);
    for (const path of [library, app, packed]) await storePath(path);
    await env.BUCKET.put((await testPath("broken-1.0")).key, "broken");
    const later = { now: () => Date.now() + NAR_GRACE_MS };
    const { deaths, report } = await inCatalog(async (c) => {
      const small = { ...c, bucket: inSmallPages(c.bucket, 2) };
      await requestRun(
        {
          ...small,
          bucket: watch(
            c.bucket,
            failing(() => true),
          ).bucket,
        },
        "reindex",
        {},
      );
      const deaths = await dyingAtEveryOperation(
        small,
        async (alive) => {
          for (let n = 0; n < 20; n++) await continueRuns(alive);
        },
        when,
      );
      return { deaths, report: reindexReport(c) };
    }, later);
    expect(deaths).toBeGreaterThan(3);
    expect(report).toMatchObject({ done: true, narinfos: 4, nars: 3, indexed: 3, removed: 2 });
    expect(report?.unreadable.count).toBe(1);
    const { paths, nars } = await inCatalog(rows);
    expect(paths.map((row) => row.name).sort()).toEqual(["app-1.0", "library-1.0", "packed-1.0"]);
    expect(nars).toHaveLength(3);
  });

  it("by an outage says so, is tried again, and later less and less often", async () => {
    const path = await testPath();
    await storePath(path);
    const now = Date.now();
    const outage = await inCatalog(async (c) => {
      const broken = {
        ...c,
        now: () => now,
        bucket: watch(
          c.bucket,
          failing(() => true),
        ).bucket,
      };
      await requestRun(broken, "reindex", {});
      const delays = [];
      for (let n = 0; n < 8; n++) delays.push(((await continueRuns(broken)) ?? 0) - now);
      return { report: reindexReport(c), delays };
    });
    expect(outage.report).toMatchObject({
      done: false,
      problem: "the bucket did not answer (list); nothing was changed, try again",
    });
    expect(outage.delays.map((delay) => delay / RETRY_MS)).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
    const { report, next } = await inCatalog(async (c) => ({
      next: await continueRuns(c),
      report: reindexReport(c),
    }));
    expect(report).toMatchObject({ done: true, indexed: 1 });
    expect(report).not.toHaveProperty("problem");
    expect(next).toBeUndefined();
  });

  it("goes on by itself: the alarm is set before the first step", async () => {
    await storePath(await testPath());
    await value(catalog().reindex({}));
    await inCatalog(({ sql }) =>
      sql.exec(
        `UPDATE runs SET finished = NULL, state = json_set(state, '$.phase', 'narinfos', '$.after', '')`,
      ),
    );
    await evictDurableObject(catalog());
    expect(await runDurableObjectAlarm(catalog())).toBe(true);
    expect(await value(catalog().reindexStatus())).toMatchObject({ done: true });
  });

  it("by an outage is told of, and the alarm tries again a minute later; the sweep goes on meanwhile", async () => {
    // The first one would keep the sweep waiting.
    await value(catalog().reindex({}));
    await storePath(await testPath());
    const { key, nar } = { key: "nar/released.nar", nar: "of nobody" };
    await env.BUCKET.put(key, nar);
    await inCatalog(({ sql }) => sql.exec("INSERT INTO nars VALUES (?, 9, NULL, 1, 0, 0, 1)", key));
    const outage = failing(({ name }) => name === "list");
    const inOutage = <T>(run: () => Promise<T>) =>
      runInDurableObject(catalog(), async (instance, { storage }) => {
        const { context } = instance;
        Object.assign(instance, { context: { ...context, bucket: watch(context.bucket, outage).bucket } });
        const answer = await run.call(instance);
        Object.assign(instance, { context });
        return { answer, alarm: ((await storage.getAlarm()) ?? 0) - Date.now() };
      });
    const asked = await inOutage(function (this: Catalog) {
      return value(this.reindex({}));
    });
    expect(asked.answer).toMatchObject({ done: false, problem: expect.stringContaining("(list)") });
    expect(asked.alarm).toBeGreaterThan(RETRY_MS - 10_000);
    expect(asked.alarm).toBeLessThanOrEqual(RETRY_MS);
    const alarm = await inOutage(function (this: Catalog) {
      return this.alarm();
    });
    expect(await env.BUCKET.head(key)).toBeNull();
    expect(alarm.alarm).toBeLessThanOrEqual(RETRY_MS);
    expect(await runDurableObjectAlarm(catalog())).toBe(true);
    expect(await value(catalog().reindexStatus())).toMatchObject({ done: true, indexed: 1 });
  });

  it("goes on with the next POST, or begins again where that says so", async () => {
    await inCatalog(async (c) => {
      const now = c.now() - 10_000;
      const broken = {
        ...c,
        now: () => now,
        bucket: watch(
          c.bucket,
          failing(() => true),
        ).bucket,
      };
      await requestRun(broken, "reindex", {});
      await requestRun({ ...broken, now: () => now + 1000 }, "reindex", {});
      expect(reindexReport(c)).toMatchObject({ started: new Date(now).toISOString(), done: false });
      await requestRun({ ...broken, now: () => now + 2000 }, "reindex", { restart: true });
      expect(reindexReport(c)).toMatchObject({ started: new Date(now + 2000).toISOString(), done: false });
    });
    const first = await value(catalog().reindex({}));
    expect(first.done).toBe(true);
    expect((await value(catalog().reindex({}))).started > first.started).toBe(true);
  });

  it("has told of none before the first", async () => {
    expect(await value(catalog().reindexStatus())).toBeUndefined();
  });
});

describe("what happens during a reindex", () => {
  /** Each with the bucket as it is afterwards, so that the catalog has to say the same. */
  const EVENTS: readonly [string, (c: CatalogContext, paths: readonly TestPath[]) => Promise<unknown>][] = [
    [
      "a path is published",
      async (c) => {
        const path = await testPath("new-1.0");
        await expectNar(c, { key: path.narKey, size: path.nar.length });
        await c.bucket.put(path.narKey, path.nar, {
          sha256: await crypto.subtle.digest("SHA-256", path.nar),
        });
        await publish(c, path.text, "meanwhile");
      },
    ],
    [
      "a path is signed",
      (c, [library]) => publish(c, `${library?.text}Sig: s:${new Uint8Array(64).toBase64()}\n`, "meanwhile"),
    ],
    ["a path is deleted", (c, paths) => deletePath(c, hashOf(paths.at(-1) as TestPath), false)],
    [
      "paths are deleted, and their NARs swept",
      async (c, [library]) => {
        await deletePath(c, hashOf(library as TestPath), true);
        await sweepNars({ ...c, now: () => Date.now() + 1000 }, 0);
      },
    ],
    [
      "a deletion fails, and is finished later",
      async (c, paths) => {
        const { bucket } = watch(
          c.bucket,
          failing(({ name }) => name === "delete"),
        );
        await deletePath({ ...c, bucket }, hashOf(paths.at(-1) as TestPath), false).catch(() => {});
      },
    ],
    [
      "a path is deleted and published again",
      async (c, paths) => {
        const path = paths.at(-1) as TestPath;
        await deletePath(c, hashOf(path), false);
        await publish(c, path.text, "meanwhile");
      },
    ],
  ];

  it.each(EVENTS)(
    "at any of its operations, %s",
    async (_, event) => {
      for (const known of [true, false]) {
        for (let at = 0; ; at++) {
          await reset();
          const paths = (await closure()).all;
          for (const path of paths) await (known ? publishPath(path) : storePath(path));
          const { happened, found } = await inCatalog(async (c) => {
            let happening: Promise<unknown> | undefined;
            const after = async ({ number }: Operation) => {
              if (number !== at) return;
              happening = event(c, paths);
              // It may wait for a lock that this very operation's holder has: then it comes right after.
              await Promise.race([happening, scheduler.wait(50)]);
            };
            const { bucket } = watch(inSmallPages(c.bucket, 2), { after });
            await reindex({ ...c, bucket });
            await happening;
            await recover(c);
            return { happened: happening !== undefined, found: rows(c) };
          });
          const again = await inCatalog(async (c) => ({ report: await reindex(c), rows: rows(c) }));
          expect({ at, known, ...again.report }).toMatchObject({ at, known, indexed: 0, removed: 0 });
          expect({ at, known, rows: found }).toEqual({ at, known, rows: again.rows });
          if (!happened) break;
        }
      }
    },
    60_000,
  );

  it("does not keep a publication from finding what is being indexed", async () => {
    const { library, app } = await closure();
    await storePath(library);
    await inCatalog(async (c) => {
      let published: Promise<unknown> | undefined;
      const before = async ({ name }: Operation) => {
        if (name !== "get" || published !== undefined) return;
        // The library's lock is held by the reindex here.
        await c.bucket.put(app.narKey, app.nar);
        published = publish(c, app.text, "meanwhile");
        await published;
      };
      await reindex({ ...c, bucket: watch(c.bucket, { before }).bucket });
      expect(await published).toBe("created");
    });
  });

  it("never deletes what a catalog that knows nothing yet would let go", async () => {
    const { library, app } = await publishClosure();
    await wipe();
    await inCatalog((c) => reindex(c), { now: () => Date.now() + 2 * NAR_GRACE_MS });
    await inCatalog((c) => sweepNars(c), { now: () => Date.now() + 4 * NAR_GRACE_MS });
    for (const key of [library.narKey, app.narKey]) expect(await env.BUCKET.head(key)).not.toBeNull();
  });
});
