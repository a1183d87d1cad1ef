/** Reindexing a bucket that was changed without the catalog: imported, removed and unreadable objects. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { hashOf, publishClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import {
  catalog,
  inCatalog,
  later,
  NAR_GRACE_MS,
  publishPath,
  reindex,
  rows,
  value,
} from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

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

  it("is forgotten: a NAR that is gone, but not before its path and an upload of it must have come to their end", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.delete(path.narKey);
    expect(await inCatalog(reindex, later(NAR_GRACE_MS))).toMatchObject({ removed: 0 });
    await env.BUCKET.delete(path.key);
    expect(await inCatalog(reindex)).toMatchObject({ removed: 1 });
    expect((await inCatalog(rows)).nars).toMatchObject([{ key: path.narKey, is_stored: 0 }]);
    expect(await inCatalog(reindex, later(NAR_GRACE_MS))).toMatchObject({ removed: 1 });
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
    // A pusher that asks for missing paths pushes it again.
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
