/** A NAR that the same isolate has just put: its narinfo is published without asking the bucket, and never on stale memory. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { deleteNarRow, forgetVanishedNar } from "../../../src/catalog/rows/nars.ts";
import type { RecentNar } from "../../../src/contract/uploads.ts";
import { MAX_AGE_MS, MAX_NARS, RecentNars } from "../../../src/recent-nars.ts";
import { type Interference, losingAnswers, watch } from "../../support/bucket.ts";
import { ADMIN_TOKEN, cacheWith, keys, type TestCache } from "../../support/cache.ts";
import { rowsOf } from "../../support/catalog.ts";
import { withNarOf } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { inCatalog } from "../../support/runs.ts";
import { compressedPath, push, testPath } from "../../support/store-paths.ts";

afterEach(reset);
captureLog();

const path = await testPath();
const packed = await compressedPath("compressed");
const large = await testPath("large-1.0", "x".repeat(64 * 1024));

function counted(interference?: Interference) {
  const watched = watch(env.BUCKET, interference);
  return { cache: cacheWith({ BUCKET: watched.bucket }), billed: watched.billed };
}

describe("the push of a new path", () => {
  test.each([
    ["without compression", path],
    ["compressed", packed],
  ])("%s is two writes and no read", async (_, own) => {
    const { cache, billed } = counted();
    expect((await push(cache, own)).status).toBe(201);
    expect(billed()).toEqual({ A: 2, B: 0 });
    expect((await cache.get(`/${own.key}`)).text).toBe(own.text);
    const facts = await rowsOf("SELECT facts_etag, is_stored, sha256 FROM nars");
    const { etag, checksums } = (await env.BUCKET.head(own.narKey)) as R2Object;
    expect(facts).toEqual([{ facts_etag: etag, is_stored: 1, sha256: checksums.toJSON().sha256 }]);
  });

  test("whose NAR another new path has, too, is one write", async () => {
    const [first, second] = [await testPath("one", "the same"), await testPath("two", "the same")];
    const { cache, billed } = counted();
    await push(cache, first);
    await inCatalog(() => undefined);
    expect((await cache.put(`/${second.key}`, second.text)).status).toBe(201);
    expect(billed()).toEqual({ A: 3, B: 0 });
  });

  test("by another isolate, or with a NAR above 64 KiB, reads the NAR once", async () => {
    await cacheWith().put(`/${path.narKey}`, path.nar);
    const other = counted();
    expect((await other.cache.put(`/${path.key}`, path.text)).status).toBe(201);
    expect(other.billed()).toEqual({ A: 1, B: 1 });
    const { cache, billed } = counted();
    expect((await push(cache, large)).status).toBe(201);
    expect(billed()).toEqual({ A: 2, B: 2 });
  });

  test("whose NAR the narinfo describes falsely is refused all the same", async () => {
    const other = await compressedPath("other");
    const { cache } = counted();
    await cache.put(`/${other.narKey}`, other.nar);
    const lying = withNarOf(packed, other);
    const line = expectRefusal(await cache.put(`/${lying.key}`, lying.text), 400);
    expect(line).toContain(other.narKey);
    expect(await keys()).toEqual([other.narKey]);
  });
});

describe("the memory is not believed", () => {
  async function refused(cache: TestCache): Promise<void> {
    const line = expectRefusal(await cache.put(`/${path.key}`, path.text), 409);
    expect(line).toContain(`the NAR ${path.narKey} is not in this cache`);
    expect(await keys()).not.toContain(path.key);
  }

  test("where the catalog has deleted the NAR since", async () => {
    const { cache } = counted();
    await cache.put(`/${path.narKey}`, path.nar);
    await inCatalog((c) => deleteNarRow(c, path.narKey));
    await env.BUCKET.delete(path.narKey);
    await refused(cache);
  });

  test("nor where another upload of it has been announced after that, and has not come", async () => {
    const { cache } = counted();
    await cache.put(`/${path.narKey}`, path.nar);
    await inCatalog((c) => deleteNarRow(c, path.narKey));
    await env.BUCKET.delete(path.narKey);
    expectRefusal(await cacheWith().put(`/${path.narKey}`, "nonsense"), 400);
    await refused(cache);
  });

  test("nor where it was found false, and its object deleted", async () => {
    const { cache } = counted();
    await cache.put(`/${path.narKey}`, path.nar);
    await inCatalog((c) => c.sql.exec("UPDATE nars SET facts = '{}', facts_etag = 'x'"));
    await env.BUCKET.delete(path.narKey);
    await refused(cache);
  });

  test("nor where a check has found it gone", async () => {
    const { cache } = counted();
    const [first, second] = [await testPath("one", "the same"), await testPath("two", "the same")];
    await push(cache, first);
    await inCatalog((c) => forgetVanishedNar(c, first.narKey, 1000));
    await env.BUCKET.delete(first.narKey);
    expectRefusal(await cache.put(`/${second.key}`, second.text), 409);
  });

  test("nor in another cache of the same Worker", async () => {
    const cache = cacheWith({ ADMIN_TOKEN, CACHES: { team: { visibility: "private" } } });
    const Authorization = `Bearer ${ADMIN_TOKEN}`;
    expect((await cache.put(`/team/${path.narKey}`, path.nar, { Authorization })).status).toBe(201);
    await refused(cache);
  });

  test("nor made by an upload whose answer was lost", async () => {
    const lost = counted(losingAnswers(({ name, key }) => name === "put" && key === path.narKey));
    expect((await lost.cache.put(`/${path.narKey}`, path.nar)).status).toBe(200);
    const { B } = lost.billed();
    expect((await lost.cache.put(`/${path.key}`, path.text)).status).toBe(201);
    expect(lost.billed().B).toBe(B + 1);
  });
});

describe("remembered NARs", () => {
  const nar = (key: string): RecentNar => ({
    ...{ key, announced: 1, etag: "e", size: 1, sha256: "", first: new Uint8Array(1) },
  });

  test("are forgotten after ten seconds, and while the clock is behind", () => {
    let now = 1000;
    const nars = new RecentNars(() => now);
    nars.remember("a", nar("k"));
    expect(nars.find("a", "k")).toEqual(nar("k"));
    expect([nars.find("b", "k"), nars.find("a", "l")]).toEqual([undefined, undefined]);
    now += MAX_AGE_MS - 1;
    expect(nars.find("a", "k")).toBeDefined();
    now += 1;
    expect(nars.find("a", "k")).toBeUndefined();
    now = 999;
    expect(nars.find("a", "k")).toBeUndefined();
  });

  test("are a bounded number, the newest", () => {
    const nars = new RecentNars();
    for (let index = 0; index <= MAX_NARS; index++) nars.remember("a", nar(`${index}`));
    expect([nars.find("a", "0"), nars.find("a", "1")?.key]).toEqual([undefined, "1"]);
  });
});
