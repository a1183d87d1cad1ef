// POST and GET /gc, the cron trigger, and what of a pusher's requests keeps a path.
import { createExecutionContext, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { GcReport } from "../../src/contract/runs.ts";
import NixCache from "../../src/index.ts";
import { ADMIN_TOKEN, basic, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, type TestPath, testPath } from "../support/store-paths.ts";
import { apiCache, ask, breakCatalog, inCatalog, refusal } from "./api.ts";

afterEach(() => reset());
captureLog();

const token = ADMIN_TOKEN;
const RETENTION = { CACHES: { "nix-cache": { retention_days: 30 } } };
const path = await testPath("hello");

async function cacheWith(hello: TestPath): Promise<TestCache> {
  const cache = apiCache({ PULL_TOKEN, ...RETENTION });
  await push(cache, hello);
  return cache;
}

/** Makes everything look as if it had been pushed long ago. */
function age(): Promise<void> {
  return inCatalog(({ sql }) => {
    sql.exec("UPDATE paths SET wanted = 1000");
    sql.exec("UPDATE runs SET state = json_set(state, '$.state.since', 0) WHERE kind = 'gc'");
  });
}

function wanted(): Promise<number> {
  return inCatalog(({ sql }) => sql.exec<{ wanted: number }>("SELECT wanted FROM paths").one().wanted);
}

describe("/gc", () => {
  it("collects, and keeps the report", async () => {
    const cache = await cacheWith(path);
    await ask(cache, "POST", "/gc", { token });
    await age();
    const stopped = await ask<GcReport>(cache, "POST", "/gc", { token });
    expect(stopped).toMatchObject({ done: true, stopped: expect.stringMatching(/is CI still pushing/) });
    const dry = await ask<GcReport>(cache, "POST", "/gc", { token, body: { dry_run: true } });
    expect(dry).toMatchObject({ dry_run: true, dead: { paths: 1, expired: 1 }, removed: { paths: 0 } });
    const report = await ask<GcReport>(cache, "POST", "/gc", { token, body: { force: true } });
    expect(report).toMatchObject({
      kind: "gc",
      done: true,
      force: true,
      retention_days: 30,
      max_size_gb: null,
      paths: 1,
      bytes: path.nar.length,
      roots: 0,
      removed: { paths: 1, bytes: path.nar.length },
      spent: { class_a: 0, class_b: 0, deletes: 1 },
    });
    expect(report.spent.rows_written).toBeGreaterThan(5);
    expect(await ask(cache, "GET", "/gc", { token })).toEqual(report);
    expect(await cache.get(`/${path.key}`, { Authorization: `Bearer ${token}` })).toMatchObject({
      status: 404,
    });
  });

  it.each([
    ["nonsense", /^the body is not JSON; it must be like \{"dry_run":true\}$/],
    [{ dryRun: true }, /^unknown property 'dryRun': the body takes dry_run, force, upstreams$/],
    [{ force: 1 }, /^force: must be true or false$/],
    [{ force: null }, /^force: must be true or false$/],
  ])("is refused for the body %j", async (body, detail) => {
    expect(await refusal(apiCache(), "POST", "/gc", 400, { token, body })).toMatch(detail);
  });

  it("sets an alarm for the NARs that it has released", async () => {
    const cache = await cacheWith(path);
    await ask(cache, "POST", "/gc", { token });
    await age();
    await ask(cache, "POST", "/gc", { token, body: { force: true } });
    // The run's own alarm, in case that a step had died; it tells when the sweep is due.
    await runDurableObjectAlarm(env.CATALOG.getByName("nix-cache"));
    const alarm = await runInDurableObject(env.CATALOG.getByName("nix-cache"), (_: Catalog, { storage }) =>
      storage.getAlarm(),
    );
    expect(alarm).toEqual(expect.closeTo(Date.now() + 25 * 3600_000, -5));
  });
});

describe("a path is kept by", () => {
  const missing = (authorization?: string) => (cache: TestCache) =>
    cache.fetch("/api/v1/missing", {
      method: "POST",
      body: JSON.stringify({ paths: [path.info.storePath.baseName] }),
      headers: authorization === undefined ? {} : { Authorization: authorization },
    });
  const read = (method: string, authorization: string) => (cache: TestCache) =>
    cache.fetch(`/${path.key}`, { method, headers: { Authorization: authorization } });
  it.each<[string, boolean, (cache: TestCache) => Promise<unknown>]>([
    ["a pusher's missing", true, missing(`Bearer ${PUSH_TOKEN}`)],
    ["a reader's missing", false, missing(`Bearer ${PULL_TOKEN}`)],
    ["anybody's missing", false, missing()],
    ["a pusher's GET of the narinfo", true, read("GET", basic("any", PUSH_TOKEN))],
    ["a pusher's HEAD of the narinfo", true, read("HEAD", basic("any", PUSH_TOKEN))],
    ["a reader's GET of the narinfo", false, read("GET", basic("any", PULL_TOKEN))],
    ["a PUT of its listing", true, (cache) => cache.put(`/${path.key.slice(0, 32)}.ls`, "{}")],
    ["a PUT of the same narinfo", true, (cache) => cache.put(`/${path.key}`, path.text)],
  ])("%s: %s", async (_, isKept, request) => {
    const cache = await cacheWith(path);
    await age();
    await request(cache);
    expect((await wanted()) > Date.now() - 60_000).toBe(isKept);
  });

  it("nothing where nothing is collected; a read then asks no catalog", async () => {
    const cache = apiCache();
    await push(cache, path);
    await age();
    const calls = cache.catalog.calls.length;
    expect(await read("GET", basic("any", PUSH_TOKEN))(cache)).toMatchObject({ status: 200 });
    expect(cache.catalog.calls).toHaveLength(calls);
    await missing(`Bearer ${PUSH_TOKEN}`)(cache);
    expect(await wanted()).toBe(1000);
  });

  it("a read that the catalog cannot note: it is answered all the same", async () => {
    const cache = await cacheWith(path);
    await breakCatalog();
    expect(await read("GET", basic("any", PUSH_TOKEN))(cache)).toMatchObject({
      status: 200,
      text: path.text,
    });
  });
});

it("the cron trigger begins a collection of every cache that has rules, and logs what it found", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const CACHES = { "nix-cache": { retention_days: 30 }, team: { max_size_gb: 1 }, archive: {} };
  const worker = Object.assign(Object.create(NixCache.prototype), {
    env: { ...env, CACHES },
    ctx: createExecutionContext(),
  }) as NixCache;
  await worker.scheduled();
  expect(log.mock.calls).toEqual([
    [expect.stringMatching(/^collection of nix-cache: \{"kind":"gc","done":true/)],
    [expect.stringMatching(/^collection of team: \{"kind":"gc","done":true/)],
  ]);
  log.mockRestore();
});
