/** Reindexing: the rows match the bucket, including objects of other tools. */
// @module-tag slow
import { evictDurableObject, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { COMPANION_FOLDERS } from "../../../src/bucket/companions.ts";
import { markIncomplete } from "../../../src/catalog/reindex/references.ts";
import { startReindex } from "../../../src/catalog/reindex/state.ts";
import { MAX_OPERATIONS } from "../../../src/catalog/scan/items.ts";
import { formatNarInfo } from "../../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../../src/nix/nix32.ts";
import { narInfos, narOf } from "../../nix/fixtures.ts";
import { watch } from "../../support/bucket.ts";
import { closure, hashOf, publishClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, inCatalog, reindex, rows, storePath, untilDone, value, wipe } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

/** 20 bytes, as in a store path's hash part. */
function hashBytes(n: number): Uint8Array {
  return new Uint8Array(20).map((_, index) => n >> (8 * (index % 4)));
}

describe("a reindex", () => {
  it("of an empty bucket is done at once", async () => {
    expect(await value(catalog().reindex({}))).toMatchObject({
      ...{ kind: "reindex", done: true, narinfos: 0, nars: 0, indexed: 0, removed: 0 },
      unreadable: { count: 0, repaired: 0, first: [] },
      unreadable_pins: { count: 0, repaired: 0, first: [] },
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
    // Narinfos, NARs, pins, and each folder of companions.
    expect(operations).toEqual(Array(3 + COMPANION_FOLDERS.length).fill("list"));
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
    for (const fixture of fixtures) {
      await env.BUCKET.put(`${fixture.hash}.narinfo`, fixture.text);
      const [, key = ""] = /^URL: (.*)$/m.exec(fixture.text) ?? [];
      await env.BUCKET.put(key, await narOf(fixture, key));
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
        `INSERT INTO paths SELECT value, 'n', 'nar/n', '', 1, '', 1, 'none', NULL, NULL, '',
           CASE key % 2 WHEN 1 THEN 'References: ' || ? || '-nowhere' ELSE '' END, '', 1, 0, 0, '', 0
         FROM json_each(?)`,
        "z".repeat(32),
        hashes,
      );
      c.sql.exec(
        "INSERT INTO refs (referrer, reference) SELECT hash, ? FROM paths WHERE narinfo <> ''",
        "z".repeat(32),
      );
      const run = startReindex(c);
      run.phase = "references";
      for (let step = 0; run.phase === "references" && step < 10; step++) await markIncomplete(c, run);
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
