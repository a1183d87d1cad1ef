/** `serve = "mirror"`: what readers ask for comes into the bucket, verified, one at a time, within a day's bytes. */
// @module-tag slow
import { reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { copyNar } from "../../src/catalog/mirror/copy.ts";
import { queueMirror } from "../../src/catalog/rows/mirror.ts";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import { ADMIN_TOKEN, cacheWith, keys, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { inCatalog } from "../support/runs.ts";
import { compressedPath, sha256, type TestPath, testPath } from "../support/store-paths.ts";
import { base64, createUpstream, type TestUpstream } from "../support/upstream.ts";
import { PUBLIC, SECRET } from "../support/variables.ts";

captureLog();
afterEach(() => reset());

const hashOf = ({ info }: TestPath) => info.storePath.hash;
const baseNameOf = ({ info }: TestPath) => info.storePath.baseName;
const library = await compressedPath("library-1.0");
const app = await testPath("app-1.0", "app", { references: [baseNameOf(library)] });

const mirroring = ({ entry }: TestUpstream, more: object = {}): TestCache =>
  cacheWith({ ADMIN_TOKEN, UPSTREAMS: [{ ...entry, serve: "mirror", ...more }] });

/** What the catalog's alarms do until nothing is to be copied now: this one, or one that has begun by itself. */
async function alarms(): Promise<void> {
  await vi.waitUntil(
    async () => {
      await runInDurableObject(env.CATALOG.getByName("nix-cache"), (catalog: Catalog) => {
        Object.assign(catalog.context, { isBusy: () => false });
      });
      await runDurableObjectAlarm(env.CATALOG.getByName("nix-cache"));
      return inCatalog(
        (c) => c.sql.exec("SELECT 1 FROM mirror_queue WHERE due <= ?", c.now()).toArray().length === 0,
      );
    },
    { timeout: 30_000 },
  );
}

const queued = () => inCatalog(({ sql }) => sql.exec("SELECT hash, attempts FROM mirror_queue").toArray());

describe("a path that a reader asks for", () => {
  test("is redirected first, then here: verified, signed by the upstream, with its name", async () => {
    const upstream = await createUpstream();
    await upstream.has([library, app]);
    const cache = mirroring(upstream);
    const first = await cache.get(`/${app.key}`);
    expect([first.status, first.headers.get("Nix-Cache-Upstream")]).toEqual([200, upstream.url]);
    expect(await keys()).toEqual([]);
    await alarms();
    const second = await cache.get(`/${app.key}`);
    expect(second.headers.get("Nix-Cache-Upstream")).toBeNull();
    expect(second.text).toBe(await upstream.textOf(app));
    const detail = JSON.parse((await cache.get(`/api/v1/paths/${hashOf(app)}`)).text);
    expect(detail).toMatchObject({
      pushed_by: `upstream:${upstream.url}`,
      verification: { state: "verified" },
      upstream_references: [{ path: baseNameOf(library), upstream: upstream.url }],
    });
    expect(await queued()).toEqual([]);
    // It stays available when the upstream is gone.
    await upstream.has([], { "*": { reset: true } });
    const nar = await cache.get(`/${parseNarInfo(second.text, "/nix/store").url}`);
    expect(nar.bytes).toEqual(app.nar);
    expect((await upstream.requests()).some(({ headers }) => "authorization" in headers)).toBe(false);
  });

  test("is kept by the edge for a minute only, because it will soon be here", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const { headers } = await mirroring(upstream).get(`/${library.key}`);
    expect(headers.get("Cache-Control")).toBe("public, max-age=60");
  });

  test("is not copied where it is larger than the bytes of a day", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = mirroring(upstream, { mirror_gb_per_day: (library.nar.length - 1) / 1e9 });
    expect((await cache.get(`/${library.key}`)).status).toBe(200);
    await alarms();
    expect([await keys(), await queued()]).toEqual([[], []]);
    expect((await upstream.requests()).map(({ path }) => path)).not.toContain(`/${library.narKey}`);
  });

  test("gets the cache's own signature, too, where it signs", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheWith({ UPSTREAMS: [{ ...upstream.entry, serve: "mirror" }], SIGNING_KEY: SECRET });
    await cache.get(`/${library.key}`);
    await alarms();
    const { text } = await cache.get(`/${library.key}`);
    const signers = [...text.matchAll(/^Sig: (.*?):/gm)].map(([, name]) => name);
    expect(signers).toEqual(["upstream.test-1", PUBLIC.slice(0, PUBLIC.indexOf(":"))]);
    expect(text).toContain(`URL: ${library.narKey}\n`);
  });

  test("is copied once, however many ask", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = mirroring(upstream);
    await Promise.all(Array.from({ length: 5 }, () => cache.get(`/${library.key}`)));
    expect(cache.catalog.calls).toEqual(["mirror"]);
    await alarms();
    await cache.get(`/${library.key}`);
    const nars = (await upstream.requests()).filter(({ path }) => path === `/${library.narKey}`);
    expect(nars).toHaveLength(1);
  });

  test("is not tried for ever where the upstream has none of its many references", async () => {
    const upstream = await createUpstream();
    const references = Array.from({ length: 60 }, (_, n) => `${`${n}`.padStart(32, "0")}-absent`);
    const wide = await testPath("wide-1.0", "wide", { references });
    await upstream.has([wide]);
    await mirroring(upstream).get(`/${wide.key}`);
    await alarms();
    expect(await queued()).toEqual([{ hash: hashOf(wide), attempts: 1 }]);
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([]);
  });

  test("is copied without a FileHash, too, where the NAR is not compressed", async () => {
    const upstream = await createUpstream();
    const { fileHash, fileSize, ...info } = app.info;
    const text = (await upstream.textOf(app)).replace(/^File(Hash|Size): .*\n/gm, "");
    expect(info.compression).toBe("none");
    await upstream.has([library, app], { [`/${app.key}`]: { body: base64(text) } });
    const cache = mirroring(upstream);
    await cache.get(`/${app.key}`);
    await alarms();
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([app.key]);
  });

  test("waits for the next day where the bytes of this one are used up", async () => {
    const upstream = await createUpstream();
    await upstream.has([library, app]);
    const cache = mirroring(upstream, { mirror_gb_per_day: (library.nar.length + app.nar.length - 1) / 1e9 });
    await cache.get(`/${library.key}`);
    await cache.get(`/${app.key}`);
    await alarms();
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toHaveLength(1);
    expect(await queued()).toHaveLength(1);
    const due = await inCatalog(
      ({ sql }) => sql.exec<{ due: number }>("SELECT due FROM mirror_queue").one().due,
    );
    expect(due % (24 * 3600 * 1000)).toBe(0);
  });
});

describe("nothing is served", () => {
  test("of a NAR that is not what the narinfo's FileHash says", async () => {
    const upstream = await createUpstream();
    const wrong = new Uint8Array(library.nar.length);
    await upstream.has([library], { [`/${library.narKey}`]: { body: wrong.toBase64() } });
    await mirroring(upstream).get(`/${library.key}`);
    await alarms();
    expect([await keys(), await queued()]).toEqual([[], []]);
  });

  test("of a NAR whose content is not what the signed narinfo says", async () => {
    const upstream = await createUpstream();
    const other = await compressedPath("other-1.0", "something else");
    // FileHash and FileSize are not signed.
    const { url, fileHash, fileSize } = other.info;
    const text = await upstream.textOf(library, {
      url,
      ...(fileHash && { fileHash }),
      ...(fileSize && { fileSize }),
    });
    await upstream.has([], {
      [`/${library.key}`]: { body: new TextEncoder().encode(text).toBase64() },
      [`/${url}`]: { body: other.nar.toBase64() },
    });
    await mirroring(upstream).get(`/${library.key}`);
    await alarms();
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([]);
    expect(await queued()).toEqual([]);
  });

  test("of a download that is cut, and it is tried again", async () => {
    const upstream = await createUpstream();
    await upstream.has([library], { [`/${library.narKey}`]: { body: library.nar.toBase64(), cutAfter: 10 } });
    const cache = mirroring(upstream);
    await cache.get(`/${library.key}`);
    await alarms();
    expect(await queued()).toEqual([{ hash: hashOf(library), attempts: 1 }]);
    await upstream.has([library]);
    await inCatalog(({ sql }) => sql.exec("UPDATE mirror_queue SET due = 0"));
    await runInDurableObject(env.CATALOG.getByName("nix-cache"), (_, { storage }) =>
      storage.setAlarm(Date.now()),
    );
    await alarms();
    expect(await keys()).toContain(library.key);
  });
});

test("a large NAR goes in parts and goes on where it was interrupted", async () => {
  const MIB = 1024 * 1024;
  const bytes = new Uint8Array(11 * MIB);
  for (let n = 0; n < bytes.length; n += 1000) bytes[n] = n % 251;
  const upstream = await createUpstream();
  await upstream.has([], { "/large": { body: bytes.toBase64() } });
  const source = {
    url: `${upstream.url}/large`,
    key: "nar/large",
    size: bytes.length,
    sha256: (await sha256(bytes)).bytes.toHex(),
  };
  const copied = await inCatalog(async (c) => {
    queueMirror(c, "h", "u");
    const uploadOf = () =>
      c.sql.exec<{ upload: string | null }>("SELECT upload FROM mirror_queue").one().upload;
    let now = 0;
    // Every look at the clock is a minute later: each call copies one part.
    const slow = { ...c, now: () => (now += 60_000) };
    const outcomes = [];
    for (let n = 0; n < 3; n++) outcomes.push(await copyNar(slow, "h", source, uploadOf(), 5 * MIB));
    return outcomes;
  });
  expect(copied).toEqual(["partly", "partly", "whole"]);
  expect(await keys()).toEqual(["nar/large"]);
  const ranges = (await upstream.requests()).map(({ headers }) => headers.range);
  expect(ranges).toEqual(["bytes=0-5242879", "bytes=5242880-10485759", "bytes=10485760-11534335"]);
});

test("retention counts it from its last read by anybody, noted once a day", async () => {
  const upstream = await createUpstream();
  await upstream.has([library]);
  const cache = cacheWith({
    UPSTREAMS: [{ ...upstream.entry, serve: "mirror" }],
    CACHES: { "nix-cache": { retention_days: 10 } },
  });
  await cache.get(`/${library.key}`);
  await alarms();
  const wanted = () =>
    inCatalog(({ sql }) => sql.exec<{ wanted: number }>("SELECT wanted FROM paths").one().wanted);
  await inCatalog(({ sql }) => sql.exec("UPDATE paths SET wanted = ?", Date.now() - 9 * 24 * 3600 * 1000));
  const before = cache.catalog.calls.length;
  for (let n = 0; n < 3; n++) await cache.get(`/${library.key}`);
  expect(cache.catalog.calls.slice(before)).toEqual(["touchMirrored"]);
  expect(Date.now() - (await wanted())).toBeLessThan(60_000);
});
