/** Publishing many paths with one request: each gets what a PUT of its own would. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { publishAll } from "../../src/catalog/publish/publish-all.ts";
import { MAX_PUBLISHED, type Published } from "../../src/contract/publishing.ts";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import { generateSecretKey, parseSecretKey, sign } from "../../src/nix/keys.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { watch } from "../support/bucket.ts";
import { ADMIN_TOKEN, keys, OPEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { withNarOf } from "../support/lies.ts";
import { captureLog } from "../support/log.ts";
import { compressedPath, push, type TestPath, testPath } from "../support/store-paths.ts";
import { createUpstream } from "../support/upstream.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";

afterEach(() => reset());
captureLog();

const token = PUSH_TOKEN;
const LISTING = '{"version":1,"root":{"type":"regular","size":1}}';

interface Sent {
  readonly narinfo: string;
  readonly listing?: string;
}

/** Publishes paths whose NARs have been put. */
async function publish(cache: TestCache, paths: readonly Sent[]): Promise<Published["paths"]> {
  const { paths: answers } = await ask<Published>(cache, "POST", "/paths", { token, body: { paths } });
  return answers;
}

function putNars(cache: TestCache, paths: readonly TestPath[]) {
  return Promise.all(paths.map(({ narKey, nar }) => cache.put(`/${narKey}`, nar)));
}

/** Each refers to all before it. */
async function closure(count: number): Promise<TestPath[]> {
  const paths: TestPath[] = [];
  for (let index = 0; index < count; index++) {
    const references = paths.map(({ info }) => info.storePath.baseName);
    paths.push(await testPath(`part-${index}`, undefined, { references }));
  }
  return paths;
}

const narinfoOf = ({ text }: TestPath): Sent => ({ narinfo: text });

describe("POST /api/v1/paths", () => {
  it("publishes as many as fit into a request, each after its references, in one call of the catalog", async () => {
    const cache = apiCache();
    const paths = await closure(MAX_PUBLISHED);
    await putNars(cache, paths);
    cache.catalog.calls.length = 0;
    const answers = await publish(cache, paths.map(narinfoOf));
    expect(answers).toEqual(
      paths.map(({ info }) => ({ status: 201, message: `${info.storePath.baseName} is published` })),
    );
    expect(cache.catalog.calls).toEqual(["publishAll"]);
    for (const { key, text } of paths) expect((await cache.get(`/${key}`)).text).toBe(text);
  });

  it("stores the listings of those that it publishes, and of no other", async () => {
    const cache = apiCache();
    const [good, bad] = await closure(2);
    const other = await testPath("without-nar");
    if (good === undefined || bad === undefined) throw new Error("two paths");
    await putNars(cache, [good, bad]);
    const answers = await publish(cache, [
      { narinfo: good.text, listing: LISTING },
      { narinfo: bad.text, listing: "not JSON" },
      { narinfo: other.text, listing: LISTING },
    ]);
    expect(answers).toMatchObject([
      { status: 201 },
      { status: 201, no_listing: "the listing is not valid JSON" },
      { status: 409 },
    ]);
    expect((await keys()).filter((key) => key.endsWith(".ls"))).toEqual([`${good.info.storePath.hash}.ls`]);
    expect(await cache.get(`/${good.info.storePath.hash}.ls`)).toMatchObject({ status: 200, text: LISTING });
  });

  it("refuses single paths, and what refers to them, with the words of a PUT", async () => {
    const cache = apiCache();
    const paths = await closure(2);
    const [first, second] = paths;
    const lone = await testPath("lone");
    if (first === undefined || second === undefined) throw new Error("two paths");
    await putNars(cache, [second, lone]);
    const sent = [narinfoOf(first), narinfoOf(second), { narinfo: "nonsense" }, narinfoOf(lone)];
    const answers = await publish(cache, sent);
    expect(answers).toMatchObject([{ status: 409 }, { status: 409 }, { status: 400 }, { status: 201 }]);
    expect(answers[0]?.message).toBe((await cache.put(`/${first.key}`, first.text)).text.trim());
    expect(answers[1]?.message).toBe((await cache.put(`/${second.key}`, second.text)).text.trim());
    expect(answers[2]?.message).toMatch(/^narinfo: /);
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([lone.key]);
  });

  it("takes a path that is named twice, and one that is here", async () => {
    const cache = apiCache();
    const path = await testPath();
    await push(cache, path);
    const answers = await publish(cache, [narinfoOf(path), narinfoOf(path)]);
    expect(answers).toMatchObject([{ status: 200 }, { status: 200 }]);
  });

  it("refuses what refers to a later one: the order is the sender's", async () => {
    const cache = apiCache();
    const paths = await closure(2);
    await putNars(cache, paths);
    const answers = await publish(cache, paths.toReversed().map(narinfoOf));
    expect(answers).toMatchObject([{ status: 409 }, { status: 201 }]);
  });

  it("publishes what it has verified, where the cache wants that first", async () => {
    const cache = apiCache({ CACHES: { "nix-cache": { verify: "before" } } });
    const [good, other] = await closure(2);
    if (good === undefined || other === undefined) throw new Error("two paths");
    const lie = withNarOf(await compressedPath("lie"), await compressedPath("truth"));
    const above = await testPath("above", undefined, { references: [lie.info.storePath.baseName] });
    await putNars(cache, [good, other, lie, above]);
    expect(await publish(cache, [good, lie, above, other].map(narinfoOf))).toMatchObject([
      { status: 201 },
      { status: 400, message: expect.stringMatching(/ contains a NAR with /) },
      { status: 409 },
      { status: 201 },
    ]);
  });

  it("publishes into the cache that the URL names", async () => {
    const cache = apiCache({ CACHES: { "nix-cache": {}, team: { visibility: "private" } } });
    const path = await testPath();
    const admin = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    await cache.put(`/team/${path.narKey}`, path.nar, admin);
    const body = { paths: [narinfoOf(path)] };
    const asked = { token: ADMIN_TOKEN, body, cacheName: "team" };
    const { paths } = await ask<Published>(cache, "POST", "/paths", asked);
    expect(paths).toMatchObject([{ status: 201 }]);
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([`team/${path.key}`]);
    expect(await publish(cache, [narinfoOf(path)])).toMatchObject([{ status: 409 }]);
  });

  it("wants the trusted signature of each", async () => {
    const key = await generateSecretKey("trusted-1");
    const cache = apiCache({ TRUSTED_PUBLIC_KEYS: key.public });
    const unsigned = await testPath("unsigned");
    const { info, ...rest } = await testPath("signed");
    const signatures = [await sign(await parseSecretKey(key.secret), fingerprint(info))];
    const signed = { ...rest, info, text: formatNarInfo({ ...info, signatures }) };
    await putNars(cache, [unsigned, signed]);
    const answers = await publish(cache, [unsigned, signed].map(narinfoOf));
    expect(answers).toMatchObject([{ status: 403 }, { status: 201 }]);
    expect(answers[0]?.message).toMatch(
      / has no valid signature by a key that this cache trusts \(trusted-1\)/,
    );
  });

  it("asks the upstreams once for the references of all, and never for paths of the request", async () => {
    const upstream = await createUpstream();
    const cache = apiCache({ UPSTREAMS: [upstream.entry] });
    const library = await testPath("upstream-library");
    await upstream.has([library]);
    const references = [library.info.storePath.baseName];
    const lower = await testPath("lower", undefined, { references });
    const upper = await testPath("upper", undefined, {
      references: [...references, lower.info.storePath.baseName],
    });
    await putNars(cache, [lower, upper]);
    cache.catalog.calls.length = 0;
    expect(await publish(cache, [lower, upper].map(narinfoOf))).toMatchObject([
      { status: 201 },
      { status: 201 },
    ]);
    expect(cache.catalog.calls).toEqual(["publishAll", "publishAll"]);
    expect((await upstream.requests()).map(({ path }) => path)).toEqual([`/${library.key}`]);
  });

  it("takes a reference from an upstream where the request's own build of it is refused", async () => {
    const upstream = await createUpstream();
    const cache = apiCache({ UPSTREAMS: [upstream.entry] });
    const library = await testPath("library");
    await upstream.has([library]);
    const references = [library.info.storePath.baseName];
    const program = await testPath("program", undefined, { references });
    await putNars(cache, [program]);
    expect(await publish(cache, [library, program].map(narinfoOf))).toMatchObject([
      { status: 409, message: expect.stringMatching(/ is not in this cache; push the path again$/) },
      { status: 201 },
    ]);
  });

  it("does not ask the catalog where no narinfo can be read", async () => {
    const cache = apiCache();
    cache.catalog.calls.length = 0;
    expect(await publish(cache, [{ narinfo: "nonsense" }])).toMatchObject([{ status: 400 }]);
    expect(cache.catalog.calls).toEqual([]);
  });

  it("refuses a narinfo with half a character", async () => {
    const cache = apiCache();
    const path = await testPath();
    await putNars(cache, [path]);
    expect(await publish(cache, [{ narinfo: `${path.text}X-Note: \ud800\n` }])).toEqual([
      { status: 400, message: "the narinfo is not UTF-8 text" },
    ]);
  });

  it("stores no listing with half a character, which UTF-8 does not have", async () => {
    const cache = apiCache();
    const path = await testPath();
    await putNars(cache, [path]);
    const listing = '{"version":1,"root":{"type":"directory","entries":{"\ud800":{"type":"regular"}}}}';
    expect(await publish(cache, [{ narinfo: path.text, listing }])).toMatchObject([
      { status: 201, no_listing: "the listing is not UTF-8" },
    ]);
    expect((await keys()).filter((key) => key.endsWith(".ls"))).toEqual([]);
  });

  it("looks up no more references in the bucket than for two paths, and puts off the rest", async () => {
    const { bucket, operations } = watch(env.BUCKET);
    const cache = apiCache({ BUCKET: bucket });
    const strangers = (from: number) =>
      Array.from({ length: 150 }, (_, index) => `${String(from + index).padStart(32, "0")}-absent`);
    const paths = await Promise.all(
      [0, 1000, 2000].map((from) => testPath(`needs-${from}`, undefined, { references: strangers(from) })),
    );
    await putNars(cache, paths);
    const before = operations.length;
    const answers = await publish(cache, paths.map(narinfoOf));
    expect(answers).toMatchObject([
      { status: 409 },
      { status: 409 },
      { status: 503, retry_after: 1, message: expect.stringMatching(/nothing is lost, try again$/) },
    ]);
    expect(operations.length - before).toBeLessThan(2 * 150 + 10);
  });

  it("always has enough lookups for the first, so that every request goes on", async () => {
    const strangers = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => `${String(from + index).padStart(32, "0")}-absent`);
    const first = await testPath("first", undefined, { references: strangers(0, 10) });
    const second = await testPath("second", undefined, { references: strangers(1000, 200) });
    const { promise: secondHasLooked, resolve } = Promise.withResolvers<void>();
    const last = `${strangers(1199, 1)[0]?.slice(0, 32)}.narinfo`;
    const { bucket } = watch(env.BUCKET, {
      before: async ({ key }) => {
        if (key === last) resolve();
        if (key === first.narKey) await secondHasLooked;
      },
    });
    await putNars(apiCache(), [first, second]);
    expect(await publish(apiCache({ BUCKET: bucket }), [first, second].map(narinfoOf))).toMatchObject([
      { status: 409 },
      { status: 409 },
    ]);
  });

  it("goes on where the bucket fails for one", async () => {
    const paths = await Promise.all(["a", "b", "c"].map((name) => testPath(name)));
    const failing = paths[1]?.key;
    const { bucket } = watch(env.BUCKET, {
      before: ({ name, key }) => {
        if (name === "put" && key === failing) throw new Error("the bucket is out (10001)");
      },
    });
    const cache = apiCache({ BUCKET: bucket });
    await putNars(cache, paths);
    const sent = paths.map(({ text }) => ({ narinfo: text, listing: LISTING }));
    expect(await publish(cache, sent)).toMatchObject([
      { status: 201 },
      { status: 503, retry_after: 5 },
      { status: 201 },
    ]);
    // The client's next try, over a bucket that works.
    expect(await publish(apiCache(), sent)).toMatchObject([
      { status: 200 },
      { status: 201 },
      { status: 200 },
    ]);
  });

  it("publishes a path whose listing the bucket does not take", async () => {
    const { bucket } = watch(env.BUCKET, {
      before: ({ name, key }) => {
        if (name === "put" && key.endsWith(".ls")) throw new Error("the bucket is out (10001)");
      },
    });
    const cache = apiCache({ BUCKET: bucket });
    const path = await testPath();
    await putNars(cache, [path]);
    expect(await publish(cache, [{ narinfo: path.text, listing: LISTING }])).toMatchObject([
      { status: 201, no_listing: expect.stringMatching(/^the bucket did not answer \(put\)/) },
    ]);
  });

  it("reads no NAR that was put just now", async () => {
    const { bucket, operations } = watch(env.BUCKET);
    const cache = apiCache({ BUCKET: bucket });
    const paths = await closure(3);
    await putNars(cache, paths);
    const before = operations.length;
    await publish(cache, paths.map(narinfoOf));
    expect(operations.slice(before).map(({ name, key }) => `${name} ${key}`)).toEqual(
      paths.map(({ key }) => `put ${key}`),
    );
  });

  it("begins no publication after half a minute", async () => {
    const cache = apiCache();
    const paths = await closure(2);
    await putNars(cache, paths);
    const answers = await inCatalog((c) => {
      let now = Date.now();
      // The first takes so long.
      const { bucket } = watch(c.bucket, {
        after: () => {
          now += 31_000;
        },
      });
      const sent = paths.map(({ text: narinfo }) => ({ narinfo }));
      return publishAll({ ...c, bucket, now: () => now }, sent, "tester", []);
    });
    expect(answers[0]).toMatchObject({ ok: true });
    expect(answers[1]).toMatchObject({ ok: false, refusal: { kind: "put-off" } });
  });

  it("publishes with holes into an open cache, as a PUT does", async () => {
    const cache = apiCache(OPEN);
    const path = await testPath("open", undefined, { references: [`${"0".repeat(32)}-absent`] });
    await putNars(cache, [path]);
    expect(await publish(cache, [narinfoOf(path)])).toMatchObject([{ status: 201 }]);
  });

  it("refuses a narinfo above the limit of one, and publishes the others", async () => {
    const cache = apiCache();
    const path = await testPath();
    await putNars(cache, [path]);
    const large = `${path.text}X-Filler: ${"x".repeat(1024 * 1024)}\n`;
    expect(await publish(cache, [{ narinfo: large }, narinfoOf(path)])).toMatchObject([
      { status: 413 },
      { status: 201 },
    ]);
  });

  it("says 503 where the catalog fails", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const cache = apiCache();
    const path = await testPath();
    await putNars(cache, [path]);
    await inCatalog(({ sql }) => sql.exec("DROP TABLE paths"));
    await refusal(cache, "POST", "/paths", 503, { token, body: { paths: [narinfoOf(path)] } });
  });
});
