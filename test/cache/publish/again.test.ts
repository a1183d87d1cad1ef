/** Publishing a path that is there already: signatures are merged, the first build stays, a broken one heals. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { brotliCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { PathDetail } from "../../../src/contract/paths.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { formatNarInfo, type NarInfo, parseNarInfo } from "../../../src/nix/narinfo.ts";
import { watch } from "../../support/bucket.ts";
import { cacheWith, store } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { HASH } from "../../support/objects.ts";
import { expectRefusal } from "../../support/refusal.ts";
import {
  compressedPath,
  narKeyOf,
  push,
  sha256,
  type TestPath,
  testPath,
} from "../../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const SIG_A = `a-1:${new Uint8Array(64).fill(1).toBase64()}`;
const SIG_B = `b-1:${new Uint8Array(64).fill(2).toBase64()}`;
const SIG_C = `c-1:${new Uint8Array(64).fill(3).toBase64()}`;

const withInfo = (path: TestPath, changes: Partial<NarInfo>) => formatNarInfo({ ...path.info, ...changes });
/** Of the first build of a path: what the catalog has recorded of others. */
const differingBuilds = async ({ info }: TestPath) => {
  const { text } = await cache.get(`/api/v1/paths/${info.storePath.hash}`);
  return (JSON.parse(text) as PathDetail).differing_builds;
};
const published = async (path: TestPath) =>
  parseNarInfo((await cache.get(`/${path.key}`)).text, path.info.storePath.storeDir);

describe("the same build again", () => {
  test("adds its signatures, each once, the first ones first", async () => {
    const path = await testPath();
    await push(cache, path, withInfo(path, { signatures: [SIG_B] }));
    for (const signatures of [[SIG_A], [SIG_A, SIG_B], [SIG_C, SIG_B], []]) {
      const answer = await cache.put(`/${path.key}`, withInfo(path, { signatures }));
      expect(answer.status).toBe(200);
    }
    expect((await published(path)).signatures).toEqual([SIG_B, SIG_A, SIG_C]);
  });

  test.each<[string, Partial<NarInfo>]>([
    ["a deriver", { deriver: `${HASH}-hello.drv` }],
    ["an unknown field", { extra: [["X-B", "new"]] }],
    ["another value of an unknown field", { extra: [["X-A", "second"]] }],
  ])("with %s adds only its signatures", async (_, changes) => {
    const path = await testPath();
    const first: Partial<NarInfo> = { extra: [["X-A", "first"]] };
    await push(cache, path, withInfo(path, first));
    const again = withInfo(path, { ...changes, signatures: [SIG_A] });
    expect((await cache.put(`/${path.key}`, again)).status).toBe(200);
    expect(await published(path)).toEqual({ ...path.info, ...first, signatures: [SIG_A] });
  });

  test("compressed in another way: URL and Compression stay, clients keep them for 30 days", async () => {
    const first = await compressedPath("twice", "the archive");
    const file = new Uint8Array(brotliCompressSync((await testPath("twice", "the archive")).nar));
    const second = withInfo(first, {
      url: await narKeyOf(file, ".nar.br"),
      compression: "br",
      fileHash: await sha256(file),
      fileSize: file.length,
      signatures: [SIG_A],
    });
    await push(cache, first);
    await cache.put(`/${await narKeyOf(file, ".nar.br")}`, file);
    expect((await cache.put(`/${first.key}`, second)).status).toBe(200);
    expect(await published(first)).toEqual({ ...first.info, signatures: [SIG_A] });
  });

  test("with references in another order is the same", async () => {
    const dependencies = [await testPath("b"), await testPath("a")];
    const references = dependencies.map(({ info }) => info.storePath.baseName);
    const path = await testPath("ordered", "x", { references });
    for (const each of [...dependencies, path]) await push(cache, each);
    const again = withInfo(path, { references: [...references].reverse(), signatures: [SIG_A] });
    expect((await cache.put(`/${path.key}`, again)).status).toBe(200);
    expect(await published(path)).toMatchObject({ references, signatures: [SIG_A] });
  });

  test("without anything new writes nothing", async () => {
    const path = await testPath();
    await push(cache, path, withInfo(path, { signatures: [SIG_A] }));
    const before = await env.BUCKET.head(path.key);
    expect((await cache.put(`/${path.key}`, path.text)).status).toBe(200);
    expect((await env.BUCKET.head(path.key))?.version).toBe(before?.version);
  });

  test("completes what another tool has published without FileHash and FileSize", async () => {
    const path = await compressedPath("incomplete");
    await cache.put(`/${path.narKey}`, path.nar);
    await store(path.key, path.text.replace(/^File(Hash|Size): .*\n/gm, ""));
    await cache.put(`/${path.key}`, withInfo(path, { signatures: [SIG_A] }));
    expect(await published(path)).toEqual({ ...path.info, signatures: [SIG_A] });
  });

  test("what another tool has stored compressed is merged, too", async () => {
    const path = await testPath();
    await cache.put(`/${path.narKey}`, path.nar);
    const stream = new Blob([withInfo(path, { signatures: [SIG_B] })])
      .stream()
      .pipeThrough(new CompressionStream("gzip"));
    const encoded = new Uint8Array(await new Response(stream).arrayBuffer());
    await store(path.key, encoded, { contentEncoding: "gzip" });
    await cache.put(`/${path.key}`, withInfo(path, { signatures: [SIG_A] }));
    expect((await published(path)).signatures).toEqual([SIG_B, SIG_A]);
  });
});

describe("another build of the same path: the first one stays", () => {
  test.each<[string, (first: TestPath) => Promise<TestPath>]>([
    ["another archive", () => testPath("hello-1.0", "another build")],
    ["other references", () => testPath("hello-1.0", undefined, { references: [`${HASH}-dep`] })],
  ])("%s", async (_, build) => {
    const first = await testPath("hello-1.0");
    const second = await build(first);
    await push(cache, first, withInfo(first, { signatures: [SIG_A] }));
    const answer = await push(cache, second, withInfo(second, { signatures: [SIG_B] }));
    expect(answer).toMatchObject({ status: 200, text: expect.stringMatching(/the first build stays/) });
    expect(await published(first)).toEqual({ ...first.info, signatures: [SIG_A] });
    expect(await differingBuilds(first)).toEqual([
      expect.objectContaining({ nar_hash: formatHash(second.info.narHash), pushed_by: "PUSH_TOKEN" }),
    ]);
  });

  test("even if its own NAR is missing, and each is recorded once", async () => {
    const first = await testPath("hello-1.0");
    const others = [await testPath("hello-1.0", "another build"), await testPath("hello-1.0", "a third")];
    await push(cache, first);
    for (const other of [...others, ...others, first]) {
      expect((await cache.put(`/${other.key}`, other.text)).status).toBe(200);
    }
    expect((await cache.get(`/${first.key}`)).text).toBe(first.text);
    const recorded = (await differingBuilds(first)).map(({ nar_hash }) => nar_hash);
    expect(recorded.sort()).toEqual(others.map(({ info }) => formatHash(info.narHash)).sort());
  });

  test("even if the catalog hears of the first one only now", async () => {
    const [first, second] = [await testPath("hello-1.0"), await testPath("hello-1.0", "another build")];
    await store(first.narKey, first.nar);
    await store(first.key, first.text);
    expect(await push(cache, second)).toMatchObject({
      status: 200,
      text: expect.stringMatching(/the first build stays/),
    });
    expect((await cache.get(`/${first.key}`)).text).toBe(first.text);
    expect(await differingBuilds(first)).toHaveLength(1);
  });
});

describe("what is broken heals by a push", () => {
  const NARS: [string, (first: TestPath) => Promise<unknown>][] = [
    ["its NAR is gone", (first) => env.BUCKET.delete(first.narKey)],
    ["its NAR has another size", (first) => store(first.narKey, "cut")],
    [
      "its NAR has another content of the same size",
      async ({ narKey, nar }) => {
        const other = new Uint8Array(nar.length);
        await env.BUCKET.put(narKey, other, { sha256: (await sha256(other)).bytes });
      },
    ],
  ];
  const NARINFOS: typeof NARS = [
    ["the narinfo is gone", (first) => env.BUCKET.delete(first.key)],
    ["the narinfo is no narinfo", (first) => store(first.key, "nonsense")],
    ["the narinfo is empty", (first) => store(first.key, "")],
    ["the narinfo is no text", (first) => store(first.key, new Uint8Array([0xff, 0xff]))],
    ["the narinfo is cut", (first) => store(first.key, first.text.slice(0, 50))],
    ["the narinfo is of another path", async (first) => store(first.key, (await testPath("other")).text)],
    ["the narinfo is of another store", (first) => store(first.key, first.text.replaceAll("/nix/", "/gnu/"))],
    ["the narinfo points outside", (first) => store(first.key, first.text.replace("URL: nar/", "URL: /"))],
    ["the narinfo is not encoded as it says", (first) => store(first.key, "x", { contentEncoding: "br" })],
    ["the narinfo is encoded as nobody knows", (first) => store(first.key, "x", { contentEncoding: "xz" })],
  ];

  async function expectWhole({ key, narKey, nar, text }: TestPath) {
    expect((await cache.get(`/${key}`)).text).toBe(text);
    expect((await cache.get(`/${narKey}`)).bytes).toEqual(nar);
  }

  test.each([...NARS, ...NARINFOS])("%s: by one of the same build", async (_, damage) => {
    const first = await compressedPath("heals", "first build");
    await push(cache, first);
    await damage(first);
    await env.BUCKET.delete(first.narKey);
    expect((await push(cache, first)).status).toBe(200);
    await expectWhole(first);
  });

  test.each(NARS)("%s: by one of another build", async (_, damage) => {
    const first = await compressedPath("heals", "first build");
    const second = await compressedPath("heals", "second build");
    await push(cache, first);
    await damage(first);
    expect((await push(cache, second)).status).toBe(200);
    await expectWhole(second);
    expect(await differingBuilds(second)).toEqual([]);
  });

  test.each(NARINFOS)("%s: the catalog knows the first build, and that is back", async (_, damage) => {
    const first = await compressedPath("heals", "first build");
    const second = await compressedPath("heals", "second build");
    await push(cache, first);
    await damage(first);
    expect(await push(cache, second)).toMatchObject({
      status: 200,
      text: expect.stringMatching(/the first build stays/),
    });
    await expectWhole(first);
    expect(await differingBuilds(first)).toHaveLength(1);
  });

  test.each(NARINFOS.slice(1))("%s, and the catalog knows of nothing: replaced", async (_, damage) => {
    const [first, second] = [await compressedPath("heals", "first"), await compressedPath("heals", "second")];
    await store(first.narKey, first.nar);
    await damage(first);
    expect((await push(cache, second)).status).toBe(200);
    await expectWhole(second);
  });

  test("not by a push whose own NAR is missing: then the broken one stays", async () => {
    const [first, second] = [await testPath("broken"), await testPath("broken", "second build")];
    await push(cache, first);
    await env.BUCKET.delete(first.narKey);
    expectRefusal(await cache.put(`/${second.key}`, second.text), 409);
    expect((await cache.get(`/${first.key}`)).text).toBe(first.text);
  });

  test("a published path is whole at every moment: nothing is deleted", async () => {
    const path = await testPath();
    const watched = watch(env.BUCKET);
    await push(cacheWith({ BUCKET: watched.bucket }), path);
    await env.BUCKET.delete(path.narKey);
    await push(cacheWith({ BUCKET: watched.bucket }), path);
    expect(watched.operations.filter(({ name }) => name === "delete")).toEqual([]);
  });
});
