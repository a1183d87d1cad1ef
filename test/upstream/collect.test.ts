/** POST /api/v1/gc with {"upstreams": true}: what an upstream has goes, unless a pin names it. */
import { reset } from "cloudflare:test";
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
  const text = JSON.stringify(body);
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Length": `${text.length}` };
  return JSON.parse((await cache.fetch(`/api/v1${path}`, { method, headers, body: text })).text) as T;
}

/** All three are here; the upstream has two of them, of which a pin names one. */
async function setUp(): Promise<{ cache: TestCache; upstream: TestUpstream }> {
  const upstream = await createUpstream();
  const cache = cacheWith({ ADMIN_TOKEN, UPSTREAMS: [upstream.entry] });
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

test("nothing goes where the upstream does not answer", async () => {
  const { cache, upstream } = await setUp();
  await upstream.has([], { "*": { reset: true } });
  expect(await api<Report>(cache, "POST", "/gc", { upstreams: true })).toMatchObject({
    upstream: { paths: 0, bytes: 0 },
  });
});

test("without the option nothing is asked", async () => {
  const { cache, upstream } = await setUp();
  const before = (await upstream.requests()).length;
  expect((await api<Report>(cache, "POST", "/gc", {})).stopped).toContain("neither retention_days");
  expect((await upstream.requests()).length).toBe(before);
});
