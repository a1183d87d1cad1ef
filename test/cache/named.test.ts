/** Named caches: each a complete cache in a folder of its own, with settings, keys and a catalog of its own. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { nameProblem } from "../../src/config/caches.ts";
import { parseConfig } from "../../src/config/config.ts";
import { edgePaths, locate } from "../../src/config/locate.ts";
import type { CheckReport } from "../../src/contract/runs.ts";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import { generateSecretKey, parseSecretKey, sign } from "../../src/nix/keys.ts";
import { formatNarInfo, parseNarInfo } from "../../src/nix/narinfo.ts";
import { examples } from "../auth/gate/table.ts";
import { ADMIN_TOKEN, cacheWith, contents, keys, PULL_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { OBJECTS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { push, type TestPath, testPath } from "../support/store-paths.ts";
import { abort, complete, elementOf, largeNar, listed, sendAll } from "../support/upload.ts";

afterEach(reset);
captureLog();

const A = await generateSecretKey("a-1");
const B = await generateSecretKey("b-1");
const BUILDER = await generateSecretKey("builder-1");

const VARIABLES = {
  ADMIN_TOKEN,
  PRIORITY: 50,
  SIGNING_KEY: `${A.secret} ${B.secret}`,
  CACHES: {
    team: { priority: 30, signing_keys: ["b-1"] },
    strict: { trusted_public_keys: [BUILDER.public], signing_keys: [] },
    loose: { open: true, signing_keys: ["a-1", "b-1"] },
    secret: { visibility: "private", signing_keys: ["a-1"] },
    "nix-cache": { visibility: "public" },
  },
};

/** A named cache as a cache of its own, used with all permissions. */
function below(cache: TestCache, name: string): TestCache {
  const Authorization = `Bearer ${ADMIN_TOKEN}`;
  const withToken = (init: RequestInit = {}) => ({
    ...init,
    headers: { ...(init.headers as Record<string, string>), Authorization },
  });
  return {
    catalog: cache.catalog,
    environment: cache.environment,
    fetch: (path, init) => cache.fetch(`/${name}${path}`, withToken(init)),
    get: (path, headers) => cache.get(`/${name}${path}`, { ...headers, Authorization }),
    head: (path, headers) => cache.head(`/${name}${path}`, { ...headers, Authorization }),
    put: (path, body, headers) => cache.put(`/${name}${path}`, body, { ...headers, Authorization }),
  };
}

function setup(name = "team"): { whole: TestCache; own: TestCache; main: TestCache } {
  const whole = cacheWith(VARIABLES);
  return { whole, own: below(whole, name), main: below(whole, "nix-cache") };
}

async function api<T>(cache: TestCache, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await cache.fetch(`/api/v1${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect([path, answer.status, answer.text]).toEqual([path, 200, answer.text]);
  return JSON.parse(answer.text) as T;
}

async function pushAll(cache: TestCache, paths: readonly TestPath[]): Promise<void> {
  for (const path of paths) expect((await push(cache, path)).status).toBe(201);
  for (const { kind, key, body } of OBJECTS) {
    if (kind === "narinfo" || kind === "nar") continue;
    expect([key, (await cache.put(`/${key}`, body)).status]).toEqual([key, 201]);
  }
}

async function names(cache: TestCache): Promise<string[]> {
  const { paths } = await api<{ paths: { name: string }[] }>(cache, "GET", "/paths");
  return paths.map(({ name }) => name).sort();
}

describe("the folder", () => {
  test("holds what the bucket holds of a default cache with the same paths, and nothing is outside", async () => {
    const path = await testPath();
    await pushAll(cacheWith({ SIGNING_KEY: B.secret }), [path]);
    const expected = await contents();
    await reset();
    await pushAll(setup().own, [path]);
    expect((await keys()).every((key) => key.startsWith("team/"))).toBe(true);
    const inside = Object.entries(await contents()).map(([key, text]) => [key.slice("team/".length), text]);
    expect(Object.fromEntries(inside)).toEqual(expected);
  });

  test("serves every kind of object with the headers of its kind", async () => {
    const { whole } = setup();
    for (const { key, body, contentType, cacheControl } of OBJECTS) {
      await env.BUCKET.put(`team/${key}`, body);
      const { status, text, headers } = await whole.get(`/team/${key}`);
      expect([key, status, text, headers.get("Cache-Control")]).toEqual([key, 200, body, cacheControl]);
      expect(headers.get("Content-Type")).toBe(contentType);
      expect((await whole.get(`/${key}`)).status).toBe(404);
      const range = await whole.get(`/team/${key}`, { Range: "bytes=1-2" });
      expect([range.status, range.text]).toEqual([206, body.slice(1, 3)]);
      const same = await whole.get(`/team/${key}`, { "If-None-Match": headers.get("ETag") ?? "" });
      expect([same.status, same.text]).toEqual([304, ""]);
    }
  });

  test("of one cache is not visible in another, with any credential", async () => {
    const { own, main } = setup();
    const [mine, theirs] = [await testPath("mine"), await testPath("theirs")];
    await push(own, mine);
    await push(main, theirs);
    for (const [cache, here, there] of [
      [own, mine, theirs],
      [main, theirs, mine],
    ] as const) {
      expect((await cache.get(`/${here.key}`)).status).toBe(200);
      expect((await cache.get(`/${there.key}`)).status).toBe(404);
      expect((await cache.head(`/${there.narKey}`)).status).toBe(404);
      expect(await names(cache)).toEqual([here.info.storePath.name]);
      const hashes = [here, there].map(({ info }) => info.storePath.hash);
      expect(await api(cache, "POST", "/missing", { paths: hashes })).toMatchObject({ missing: [hashes[1]] });
      const { text } = await cache.get("/?list-type=2");
      expect([...text.matchAll(/<Key>([^<]*)</g)].map(([, key]) => key)).toEqual([here.key, here.narKey]);
      expect(await api(cache, "GET", "/stats")).toMatchObject({ by_compression: [{ paths: 1 }] });
    }
    // A path of another cache does not count as a reference.
    const user = await testPath("user", "user", { references: [theirs.info.storePath.baseName] });
    expect((await push(own, user)).status).toBe(409);
  });

  test("two builds of one path in two caches are each the first", async () => {
    const { own, main } = setup();
    const [one, other] = [await testPath("same", "one build"), await testPath("same", "another build")];
    expect([(await push(own, one)).status, (await push(main, other)).status]).toEqual([201, 201]);
    expect((await own.get(`/${one.key}`)).text).not.toBe((await main.get(`/${one.key}`)).text);
    await api(own, "DELETE", `/paths/${one.info.storePath.hash}`);
    expect([(await own.get(`/${one.key}`)).status, (await main.get(`/${one.key}`)).status]).toEqual([
      404, 200,
    ]);
  });
});

describe("its settings", () => {
  test("priority, signing keys and trusted keys are its own", async () => {
    const { whole } = setup();
    const path = await testPath();
    const by = async (name: string, text = path.text) => {
      await push(below(whole, name), path, text);
      const { status, text: narinfo } = await below(whole, name).get(`/${path.key}`);
      if (status !== 200) return status;
      return parseNarInfo(narinfo, "/nix/store").signatures.map((signature) => signature.split(":")[0]);
    };
    expect([await by("team"), await by("loose"), await by("nix-cache")]).toEqual([
      ["b-1"],
      ["a-1", "b-1"],
      ["a-1", "b-1"],
    ]);
    expect(await by("strict")).toBe(404);
    const signature = await sign(await parseSecretKey(BUILDER.secret), fingerprint(path.info));
    expect(await by("strict", formatNarInfo({ ...path.info, signatures: [signature] }))).toEqual([
      "builder-1",
    ]);
    const priorities = ["/team", "/loose", "/nix-cache", ""].map(
      async (prefix) => /Priority: (\d+)/.exec((await whole.get(`${prefix}/nix-cache-info`)).text)?.[1],
    );
    expect(await Promise.all(priorities)).toEqual(["30", "50", "50", "50"]);
  });

  test("only an open one takes a path before its references", async () => {
    const { whole } = setup();
    const user = await testPath("user", "user", { references: [`${"0".repeat(32)}-nowhere`] });
    const pushed = async (name: string) => (await push(below(whole, name), user)).status;
    expect([await pushed("loose"), await pushed("team")]).toEqual([201, 409]);
  });

  test("visibility: a private one is for those who may read it, and PULL_TOKEN is not for it", async () => {
    const whole = cacheWith({ ...VARIABLES, PULL_TOKEN });
    const path = await testPath();
    await push(below(whole, "secret"), path);
    expectRefusal(await whole.get(`/secret/${path.key}`), 401);
    expectRefusal(await whole.get(`/secret/${path.key}`, { Authorization: `Bearer ${PULL_TOKEN}` }), 401);
    expect((await below(whole, "secret").get(`/${path.key}`)).status).toBe(200);
    // That the default cache is private makes no other one private.
    expect([
      (await whole.get("/team/nix-cache-info")).status,
      (await whole.get("/nix-cache-info")).status,
    ]).toEqual([200, 401]);
  });

  test("PUSH_TOKEN is for the default cache, and the refusal says what is for this one", async () => {
    const whole = cacheWith({ CACHES: { team: {} } });
    expect(expectRefusal(await whole.put("/team/nix-cache-info", ""), 403)).toMatch(
      /^PUSH_TOKEN is for the default cache/,
    );
  });
});

describe("its catalog", () => {
  test("reindex and check of one cache know nothing of another, and find each whole", async () => {
    const { own, main } = setup();
    const [mine, theirs] = [await testPath("mine"), await testPath("theirs")];
    await pushAll(own, [mine]);
    await pushAll(main, [theirs]);
    for (const cache of [own, main]) {
      expect(await api(cache, "POST", "/reindex")).toMatchObject({
        done: true,
        narinfos: 1,
        nars: 1,
        indexed: 0,
      });
      const report = await api<CheckReport>(cache, "POST", "/check");
      expect(report).toMatchObject({ done: true, clean: true, narinfos: 1, nars: 1 });
    }
  });

  test("is built from the folder", async () => {
    const { own, main } = setup();
    const path = await testPath("found");
    await env.BUCKET.put(`team/${path.narKey}`, path.nar);
    await env.BUCKET.put(`team/${path.key}`, path.text);
    expect(await api(own, "POST", "/reindex")).toMatchObject({ indexed: 1 });
    expect(await api(main, "POST", "/reindex")).toMatchObject({ indexed: 0, narinfos: 0, nars: 0 });
    expect([await names(own), await names(main)]).toEqual([["found"], []]);
  });

  test("keeps pins, in the folder, and collects without touching the others", async () => {
    const { own, main } = setup();
    const path = await testPath();
    for (const cache of [own, main]) await push(cache, path);
    await api(own, "PUT", "/pins/release", { store_path: `/nix/store/${path.info.storePath.baseName}` });
    expect(await keys()).toContain("team/pins/release");
    expect(await api(main, "GET", "/pins")).toEqual({ pins: [] });
    const pinned = await own.fetch(`/api/v1/paths/${path.info.storePath.hash}`, { method: "DELETE" });
    expect(pinned.status).toBe(409);
    await api(main, "DELETE", `/paths/${path.info.storePath.hash}`);
    expect((await own.get(`/${path.key}`)).status).toBe(200);
  });

  test("drops from the edge what stands for its own paths, and only that", () => {
    const deployment = parseConfig({ BUCKET: env.BUCKET, CATALOG: env.CATALOG, CACHES: { team: {} } });
    const team = deployment.named.get("team");
    expect(team && edgePaths(team, ["/x.narinfo"])).toEqual(["/team/x.narinfo"]);
    // The default cache answers without its name, too.
    expect(edgePaths(deployment, ["/x.narinfo"])).toEqual(["/x.narinfo", "/nix-cache/x.narinfo"]);
  });
});

describe("uploads by parts", () => {
  test("arrive in the folder, and nowhere else", async () => {
    const { own, main } = setup();
    const nar = await largeNar();
    const { uploadId, tags } = await sendAll(own, nar);
    expect((await listed(own, nar.key, uploadId)).status).toBe(200);
    // The id of an upload is not valid in another cache.
    expect((await listed(main, nar.key, uploadId)).status).toBe(404);
    expect((await abort(main, nar.key, uploadId)).status).toBe(404);
    expect((await complete(main, nar.key, uploadId, tags)).status).toBe(404);
    const done = await complete(own, nar.key, uploadId, tags);
    expect([done.status, elementOf(done.text, "Bucket")]).toEqual([200, "team"]);
    expect(await keys()).toEqual([`team/${nar.key}`]);
    expect((await own.get(`/${nar.key}`)).bytes).toEqual(nar.bytes);
  });
});

test("no name can take the place of a route, or of a folder of the bucket", () => {
  const segments = [...new Set(examples().map(({ path }) => path.split(/[/?]/)[1] ?? ""))];
  const candidates = [...segments, "uploads", "pins"].filter((name) => /^[a-z0-9-]+$/.test(name));
  expect(candidates).toEqual(expect.arrayContaining(["nar", "log", "api", "health"]));
  const CACHES = Object.fromEntries(candidates.map((name) => [name, {}]));
  const deployment = parseConfig({ BUCKET: env.BUCKET, CATALOG: env.CATALOG, CACHES });
  expect([...deployment.named.keys()]).toEqual([]);
  for (const name of candidates) {
    expect(nameProblem(name)).toMatch(/would shadow/);
    expect(deployment.problems.join()).toContain(`"${name}" would shadow`);
  }
  for (const { path } of examples()) {
    expect(locate(deployment, { path: path.replace(/\?.*/, ""), query: "" }).config).toBe(deployment);
  }
});
