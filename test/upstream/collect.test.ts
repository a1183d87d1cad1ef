/** POST /api/v1/gc with {"upstreams": true}: what an upstream has goes, unless a pin names it. */
import { reset, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { ADMIN_TOKEN, cacheWith, keys, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, type TestPath, testPath } from "../support/store-paths.ts";
import { createUpstream, type TestUpstream } from "../support/upstream.ts";

captureLog();
afterEach(() => reset());

const hashOf = ({ info }: TestPath) => info.storePath.hash;
const baseNameOf = ({ info }: TestPath) => info.storePath.baseName;
const library = await testPath("library-1.0");
const pinned = await testPath("pinned-1.0");
const app = await testPath("app-1.0", "app", { references: [baseNameOf(library), baseNameOf(pinned)] });

interface Report {
  readonly done: boolean;
  readonly upstream: { paths: number; bytes: number };
  readonly removed: { paths: number; bytes: number };
  readonly stopped?: string;
}

async function api<T>(cache: TestCache, method: string, path: string, body: unknown): Promise<T> {
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
  return JSON.parse((await cache.fetch(`/api/v1${path}`, init)).text) as T;
}

/** All three are here; the upstream has two of them, of which a pin names one. */
async function setUp(settings = {}): Promise<{ cache: TestCache; upstream: TestUpstream }> {
  const upstream = await createUpstream();
  const CACHES = { "nix-cache": settings };
  const cache = cacheWith({ ADMIN_TOKEN, UPSTREAMS: [upstream.entry], CACHES });
  for (const path of [library, pinned, app]) expect((await push(cache, path)).status).toBe(201);
  await upstream.has([library, pinned]);
  await api(cache, "PUT", "/pins/kept", { store_path: `/nix/store/${baseNameOf(pinned)}` });
  return { cache, upstream };
}

test("a dry run says how many bytes would go, and removes nothing", async () => {
  const { cache } = await setUp();
  const report = await api<Report>(cache, "POST", "/gc", { upstreams: true, dry_run: true });
  expect(report).toMatchObject({
    done: true,
    dry_run: true,
    upstreams: true,
    upstream: { paths: 1, bytes: library.nar.length },
    removed: { paths: 0, bytes: 0 },
  });
  expect(report.stopped).toBeUndefined();
  expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toHaveLength(3);
});

test("they go, without those that a pin names; what refers to them stays whole", async () => {
  const { cache } = await setUp();
  expect(await api<Report>(cache, "POST", "/gc", { upstreams: true })).toMatchObject({
    done: true,
    upstream: { paths: 1, bytes: library.nar.length },
    removed: { paths: 1, bytes: library.nar.length },
  });
  expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([app.key, pinned.key].sort());
  const check = await api<{ clean: boolean }>(cache, "POST", "/check", {});
  expect(check.clean).toBe(true);
  const detail = await cache.get(`/api/v1/paths/${hashOf(app)}`);
  expect(JSON.parse(detail.text)).toMatchObject({ missing_references: [], incomplete: false });
});

test.each([true, false])("a cache that collects goes on with its rules (dry run: %j)", async (dry_run) => {
  const { cache } = await setUp({ retention_days: 30 });
  let report = await api<Report>(cache, "POST", "/gc", { upstreams: true, dry_run });
  for (let alarm = 0; alarm < 10 && !report.done; alarm++) {
    await runDurableObjectAlarm(env.CATALOG.getByName("nix-cache"));
    report = await api<Report>(cache, "GET", "/gc", undefined);
  }
  const bytes = [library, pinned, app].reduce((sum, { nar }) => sum + nar.length, 0);
  const size = library.nar.length;
  expect(report).toMatchObject({
    ...{ done: true, phase: dry_run ? "mark" : "uploads", paths: 3, bytes },
    upstream: { paths: 1, bytes: size },
    removed: dry_run ? { paths: 0, bytes: 0 } : { paths: 1, bytes: size },
    alive: { paths: 2, bytes: bytes - size },
    dead: { paths: 0 },
  });
});

test("nothing goes where the upstream does not answer", async () => {
  const { cache, upstream } = await setUp();
  await upstream.has([], { "*": { reset: true } });
  expect(await api<Report>(cache, "POST", "/gc", { upstreams: true })).toMatchObject({
    upstream: { paths: 0, bytes: 0 },
  });
});

test("what the upstream has lost since a dry run stays", async () => {
  const { cache, upstream } = await setUp();
  const dry = await api<Report>(cache, "POST", "/gc", { upstreams: true, dry_run: true });
  expect(dry.upstream.paths).toBe(1);
  await upstream.has([]);
  const report = await api<Report>(cache, "POST", "/gc", { upstreams: true });
  expect(report).toMatchObject({ done: true, upstream: { paths: 0 }, removed: { paths: 0 } });
  expect(await keys()).toContain(library.key);
});

test("without the option nothing is asked", async () => {
  const { cache, upstream } = await setUp();
  const before = (await upstream.requests()).length;
  expect((await api<Report>(cache, "POST", "/gc", {})).stopped).toContain("neither retention_days");
  expect((await upstream.requests()).length).toBe(before);
});
