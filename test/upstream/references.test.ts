/** Paths that refer to paths of an upstream: accepted, remembered, shown, checked, found again, deleted. */
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { minted, TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, cacheWith, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, type TestPath, testPath } from "../support/store-paths.ts";
import { createUpstream, type TestUpstream } from "../support/upstream.ts";
import { PUBLIC } from "../support/variables.ts";

captureLog();
afterEach(() => reset());

const library = await testPath("library-1.0");
const missing = await testPath("missing-1.0");
const baseNameOf = ({ info }: TestPath) => info.storePath.baseName;
const hashOf = ({ info }: TestPath) => info.storePath.hash;
const app = await testPath("app-1.0", "app", { references: [baseNameOf(library)] });
const AS_ADMIN = { Authorization: `Bearer ${ADMIN_TOKEN}` };

const cacheOver = (...upstreams: readonly TestUpstream[]): TestCache =>
  cacheWith({ ADMIN_TOKEN, UPSTREAMS: upstreams.map(({ entry }) => entry) });

async function api<T>(cache: TestCache, method: string, path: string, body?: unknown): Promise<T> {
  const headers = {
    ...AS_ADMIN,
    ...(body !== undefined && { "Content-Length": `${JSON.stringify(body).length}` }),
  };
  const answer = await cache.fetch(`/api/v1${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return JSON.parse(answer.text) as T;
}

interface Detail {
  readonly missing_references: string[];
  readonly upstream_references: { path: string; upstream: string | null }[];
  readonly incomplete: boolean;
  readonly closure: { paths: number; upstream: number; missing: number };
}

interface Check {
  readonly done: boolean;
  readonly findings: Record<string, { first: { name: string; detail: string }[] }>;
}

const missingReferences = async (cache: TestCache) => {
  const report = await api<Check>(cache, "POST", "/check", { restart: true });
  expect(report.done).toBe(true);
  return report.findings["missing-reference"]?.first.map(({ name }) => name);
};

const narInfoRequests = async (upstream: TestUpstream) =>
  (await upstream.requests()).map(({ path }) => path).filter((path) => path.endsWith(".narinfo"));

describe("a reference that an upstream has", () => {
  test("is accepted; it is asked for once, and shown", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheOver(upstream);
    expect((await push(cache, app)).status).toBe(201);
    const second = await testPath("second-1.0", "second", { references: [baseNameOf(library)] });
    // Another isolate, whose catalog remembers.
    await upstream.has([]);
    expect((await push(cacheOver(upstream), second)).status).toBe(201);
    expect(await narInfoRequests(upstream)).toEqual([`/${library.key}`]);
    const detail = await api<Detail>(cache, "GET", `/paths/${hashOf(app)}`);
    expect(detail.upstream_references).toEqual([{ path: baseNameOf(library), upstream: upstream.url }]);
    expect([detail.missing_references, detail.incomplete]).toEqual([[], false]);
    expect(detail.closure).toMatchObject({ paths: 1, upstream: 1, missing: 0 });
    expect(await missingReferences(cache)).toEqual([]);
  });

  test("costs one more call of the catalog, no operation of the bucket, and no call once it is known", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheOver(upstream);
    await cache.put(`/${app.narKey}`, app.nar);
    cache.catalog.calls.length;
    const before = cache.catalog.calls.length;
    await cache.put(`/${app.key}`, app.text);
    await cache.put(`/${app.key}`, app.text);
    expect(cache.catalog.calls.slice(before)).toEqual(["publish", "publish", "publish"]);
  });

  test("under another name is another path", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const wrong = await testPath("app-1.0", "app", { references: [`${hashOf(library)}-other-name`] });
    expect((await push(cacheOver(upstream), wrong)).status).toBe(409);
  });

  test("is refused, by name, where no upstream has it", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const both = await testPath("both-1.0", "both", {
      references: [baseNameOf(library), baseNameOf(missing)],
    });
    const { status, text } = await push(cacheOver(upstream), both);
    expect(status).toBe(409);
    expect(text).toContain(`neither in this cache nor in an upstream: ${baseNameOf(missing)};`);
  });

  test("is a finding of the next check where its upstream is configured no more", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    await push(cacheOver(upstream), app);
    const without = cacheOver();
    expect(await missingReferences(without)).toEqual([baseNameOf(library)]);
    const detail = await api<Detail>(without, "GET", `/paths/${hashOf(app)}`);
    expect(detail.missing_references).toEqual([baseNameOf(library)]);
    expect(detail.closure).toMatchObject({ upstream: 0, missing: 1 });
    expect(await missingReferences(cacheOver(upstream))).toEqual([]);
  });

  test("is found again by a catalog that is built anew", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const lost = await testPath("lost-1.0", "lost", { references: [baseNameOf(missing)] });
    await push(cacheOver(upstream), app);
    await push(cacheWith({ CACHES: { "nix-cache": { open: true } } }), lost);
    await runInDurableObject(env.CATALOG.getByName("nix-cache"), (_, { storage }) => {
      for (const table of ["paths", "refs", "nars", "upstream_paths", "runs"])
        storage.sql.exec(`DELETE FROM ${table}`);
    });
    const cache = cacheOver(upstream);
    expect(await api(cache, "POST", "/reindex", {})).toMatchObject({ done: true, indexed: 2 });
    expect(await api<Detail>(cache, "GET", `/paths/${hashOf(app)}`)).toMatchObject({
      incomplete: false,
      upstream_references: [{ path: baseNameOf(library), upstream: upstream.url }],
    });
    expect(await api<Detail>(cache, "GET", `/paths/${hashOf(lost)}`)).toMatchObject({ incomplete: true });
    expect(await missingReferences(cache)).toEqual([baseNameOf(missing)]);
  });

  test("may be deleted here although others refer to it", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheOver(upstream);
    await push(cache, app);
    // Pushed all the same.
    await push(cache, library);
    expect(await api(cache, "DELETE", `/paths/${hashOf(library)}`)).toEqual({
      deleted: [baseNameOf(library)],
    });
    expect(await missingReferences(cache)).toEqual([]);
  });
});

describe("missing", () => {
  const ask = async (cache: TestCache, token: string | undefined, more: object = {}) => {
    const body = JSON.stringify({ paths: [baseNameOf(library), baseNameOf(missing)], ...more });
    const answer = await cache.fetch("/api/v1/missing", {
      method: "POST",
      body,
      headers: {
        "Content-Length": `${body.length}`,
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
    });
    return (JSON.parse(answer.text) as { missing: string[] }).missing;
  };

  test("leaves out what an upstream has, for a pusher who does not switch that off", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheOver(upstream);
    const both = [baseNameOf(library), baseNameOf(missing)];
    expect(await ask(cache, undefined)).toEqual(both);
    expect(await ask(cache, PUSH_TOKEN, { upstreams: false })).toEqual(both);
    expect(await narInfoRequests(upstream)).toEqual([]);
    expect(await ask(cache, PUSH_TOKEN)).toEqual([baseNameOf(missing)]);
  });
});

describe("a cache of this Worker as an upstream", () => {
  const asOwn = (more: Record<string, unknown> = {}) =>
    cacheWith({
      ADMIN_TOKEN,
      TOKEN_SECRET,
      UPSTREAMS: [],
      CACHES: { base: { ...more }, team: { upstreams: ["/base"], ...more } },
    });

  test("is asked in the bucket", async () => {
    const cache = asOwn();
    await pushTo(cache, "/base", library);
    const { status, text, headers } = await cache.get(`/team/${library.key}`, AS_ADMIN);
    expect([status, headers.get("Nix-Cache-Upstream")]).toEqual([200, "/base"]);
    expect(text).toContain(`URL: https://cache.example.org/base/${library.narKey}\n`);
    expect((await pushTo(cache, "/team", app)).status).toBe(201);
    expect((await cache.get(`/team/${library.key}`)).status).toBe(404);
  });

  test("that is private is for those who may read it", async () => {
    const cache = asOwn({ visibility: "private" });
    await pushTo(cache, "/base", library);
    expect((await cache.get(`/team/${library.key}`, AS_ADMIN)).status).toBe(200);
    expect((await cache.get(`/team/${library.key}`)).status).toBe(401);
  });

  test("that is private is named only to those who may read it", async () => {
    const cache = asOwn({ visibility: "private" });
    await pushTo(cache, "/base", library);
    await pushTo(cache, "/team", app);
    const shown = async (caches: string) => {
      const headers = { Authorization: `Bearer ${await minted("pull", caches)}`, Accept: "*/*" };
      const { text } = await cache.get(`/team/api/v1/paths/${hashOf(app)}`, headers);
      const page = await cache.get(`/team/_/path/${hashOf(app)}`, { ...headers, Accept: "text/html" });
      expect(page.status).toBe(200);
      return {
        detail: JSON.parse(text) as Detail,
        isNamed: [text, page.text].map((all) => all.includes("/base")),
      };
    };
    const ofReader = await shown("team");
    expect(ofReader.isNamed).toEqual([false, false]);
    expect(ofReader.detail).toMatchObject({
      upstream_references: [{ path: baseNameOf(library), upstream: null }],
      missing_references: [],
    });
    const ofBoth = await shown("*");
    expect(ofBoth.isNamed).toEqual([true, true]);
    expect(ofBoth.detail.upstream_references).toEqual([{ path: baseNameOf(library), upstream: "/base" }]);
  });

  test("needs a signature where keys are listed, and where these have a mistake", async () => {
    for (const public_keys of [[PUBLIC], ["nonsense"]]) {
      const cache = cacheWith({
        ADMIN_TOKEN,
        CACHES: { base: {}, team: { upstreams: [{ url: "/base", public_keys }] } },
      });
      // Pushed while nothing was misconfigured.
      await pushTo(asOwn(), "/base", library);
      expect((await cache.get(`/team/${library.key}`, AS_ADMIN)).status).toBe(404);
    }
  });

  async function pushTo(cache: TestCache, folder: string, path: TestPath) {
    await cache.put(`${folder}/${path.narKey}`, path.nar, AS_ADMIN);
    return cache.put(`${folder}/${path.key}`, path.text, AS_ADMIN);
  }
});
