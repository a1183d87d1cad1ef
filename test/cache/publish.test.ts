/** Publishing a narinfo, steps 1, 2 and 4: what goes in comes out, what does not hold is refused. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { formatHash } from "../../src/nix/hash.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { narInfos } from "../nix/fixtures.ts";
import { watch } from "../support/bucket.ts";
import { cacheWith, keys, OPEN, store } from "../support/cache.ts";
import { HASH } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf, compressedPath, narKeyOf, push, sha256, testPath } from "../support/store-paths.ts";

afterEach(reset);

const cache = cacheWith();

describe("a narinfo whose NAR is there", () => {
  test("is published as it was sent", async () => {
    const path = await testPath();
    expect(await push(cache, path)).toMatchObject({
      status: 201,
      text: `${path.info.storePath.baseName} is published\n`,
    });
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
    const object = await env.BUCKET.head(path.key);
    expect(object?.httpMetadata).toEqual({ contentType: "text/x-nix-narinfo" });
    expect(object?.customMetadata).toEqual({
      "pushed-by": "PUSH_TOKEN",
      "first-push": expect.stringMatching(/^\d{13}$/),
    });
  });

  // The NARs that are text: the others cannot be had inside the runtime.
  const nars = import.meta.glob<string>("../fixtures/nix-*/none/nar/*", {
    query: "?raw",
    import: "default",
    eager: true,
  });
  const real = narInfos.filter(({ folder, version, text }) => {
    const url = /^URL: (.*)$/m.exec(text)?.[1];
    const nar = nars[`../fixtures/nix-${version}/none/${url}`];
    return folder === "none" && nar !== undefined && !nar.includes("\ufffd");
  });

  test("real ones of two versions of Nix", () => expect(real.length).toBeGreaterThanOrEqual(6));

  test.each(real)("of Nix $version: $hash comes out as it went in", async ({ version, hash, text }) => {
    const url = /^URL: (.*)$/m.exec(text)?.[1];
    // Some of what they refer to has a NAR that is no text.
    const open = cacheWith(OPEN);
    await open.put(`/${url}`, nars[`../fixtures/nix-${version}/none/${url}`] ?? "");
    expect((await open.put(`/${hash}.narinfo`, text)).status).toBe(201);
    expect((await cache.get(`/${hash}.narinfo`)).text).toBe(text);
  });

  test("keeps what it does not know, and all signatures", async () => {
    const signatures = ["a-1", "b-1", "c-1"].map((name) => `${name}:${new Uint8Array(64).toBase64()}`);
    const extra: [string, string][] = [
      ["X-Built-On", "builder-7: fast"],
      ["Provenance", "{}"],
      ["X-Built-On", "twice"],
    ];
    const path = await testPath("kept", "kept", { signatures, extra, deriver: `${HASH}-kept.drv` });
    await push(cache, path);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("is written in Nix's form, whatever form it came in", async () => {
    const path = await testPath("form");
    const hex = `sha256:${path.info.narHash.bytes.toHex()}`;
    const sri = `sha256-${path.info.narHash.bytes.toBase64()}`;
    const text = path.text
      .replace(/^FileHash: .*$/m, `FileHash: ${hex}`)
      .replace(/^NarHash: .*$/m, `NarHash: ${sri}`)
      .replace("References:", "Deriver: unknown-deriver\nReferences:")
      .split("\n")
      .slice(0, -1)
      .reverse()
      .join("\n");
    await push(cache, path, `${text}\n`);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("gets the FileHash and FileSize that it lacks: Nix up to 2.34 asserts them", async () => {
    const path = await compressedPath("lacking");
    await push(cache, path, path.text.replace(/^File(Hash|Size): .*\n/gm, ""));
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("gets the FileSize that is 0", async () => {
    const path = await compressedPath("zero");
    await push(cache, path, path.text.replace(/^FileSize: .*$/m, "FileSize: 0"));
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("may name a NAR as other tools do", async () => {
    const nar = bytesOf("a NAR of another tool");
    await store("nar/ab/demo+1.0.nar", nar);
    const path = await testPath("other", "a NAR of another tool", { url: "./nar/ab/demo%2B1.0.nar?x=1" });
    expect((await cache.put(`/${path.key}`, path.text)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });
});

describe("step 1: strictly parsed, and of the path that the key says", () => {
  test.each<[string, (text: string) => string, RegExp]>([
    ["another store path", (text) => text.replace(/\/store\/\w{32}/, `/store/${HASH}`), /does not belong to/],
    [
      "another store",
      (text) => text.replace("/nix/store/", "/gnu/store/"),
      /^narinfo: StorePath: .*\/nix\/store/,
    ],
    ["no StorePath", (text) => text.replace(/^StorePath: .*\n/m, ""), /^narinfo: StorePath: missing/],
    ["no URL", (text) => text.replace(/^URL: .*\n/m, ""), /^narinfo: URL: missing/],
    ["no NarHash", (text) => text.replace(/^NarHash: .*\n/m, ""), /^narinfo: NarHash: missing/],
    ["no NarSize", (text) => text.replace(/^NarSize: .*\n/m, ""), /^narinfo: NarSize: missing/],
    ["NarSize 0", (text) => text.replace(/^NarSize: .*$/m, "NarSize: 0"), /^narinfo: NarSize/],
    ["a NarHash of no use", (text) => text.replace(/^NarHash: .*$/m, "NarHash: md5:x"), /^narinfo: NarHash/],
    ["an absolute URL", (text) => text.replace("URL: ", "URL: https://example.org/"), /^narinfo: URL/],
    ["a URL of the host", (text) => text.replace("URL: ", "URL: /"), /^narinfo: URL/],
    ["a URL that leaves the cache", (text) => text.replace("URL: ", "URL: ../"), /^narinfo: URL/],
    ["a URL outside nar/", (text) => text.replace("URL: nar/", "URL: log/"), /^narinfo: URL/],
    [
      "a compression of no name",
      (text) => text.replace("Compression: none", "Compression: rar"),
      /Compression/,
    ],
    ["a signature that is none", (text) => `${text}Sig: nonsense\n`, /^narinfo: Sig/],
    ["a signature that is too short", (text) => `${text}Sig: a-1:AAAA\n`, /^narinfo: Sig/],
    [
      "a reference that is no base name",
      (text) => text.replace(/^References: .*$/m, "References: x"),
      /References/,
    ],
    [
      "a full path as reference",
      (text) => text.replace("References: ", "References: /nix/store/"),
      /References/,
    ],
    ["references twice", (text) => text.replace(/^(References: .*\n)/m, "$1$1"), /References: given twice/],
    ["a deriver that is none", (text) => `${text}Deriver: x\n`, /^narinfo: Deriver/],
    ["CRLF", (text) => text.replaceAll("\n", "\r\n"), /LF/],
    ["no last newline", (text) => text.slice(0, -1), /newline/],
    ["an empty line", (text) => text.replace("URL", "\nURL"), /line 2/],
    ["no space after a colon", (text) => text.replace("URL: ", "URL:"), /line 2/],
    ["a NUL", (text) => text.replace("URL: ", "X: a\0b\nURL: "), /X/],
    ["nothing", () => "", /newline/],
    ["a web page", () => "<!DOCTYPE html>\n<html></html>\n", /line 1/],
    ["JSON", (text) => `${JSON.stringify({ text })}\n`, /line 1|Key/],
  ])("%s", async (_, change, message) => {
    const path = await testPath();
    const changed = change(path.text);
    expect(changed).not.toBe(path.text);
    await cache.put(`/${path.narKey}`, path.nar);
    expect(expectRefusal(await cache.put(`/${path.key}`, changed), 400)).toMatch(message);
    expect(await keys()).toEqual([path.narKey]);
  });

  test("no compression means bzip2, and is written so", async () => {
    const path = await testPath();
    expect((await push(cache, path, path.text.replace("Compression: none\n", ""))).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toContain("\nCompression: bzip2\n");
  });

  test("without compression the file is the archive", async () => {
    const path = await compressedPath("not-compressed");
    const text = path.text.replace(".nar.xz", ".nar").replace("Compression: xz", "Compression: none");
    await cache.put(`/${path.narKey.replace(".xz", "")}`, path.nar);
    expect(expectRefusal(await cache.put(`/${path.key}`, text), 400)).toMatch(/FileHash and NarHash/);
    const sameHash = text.replace(/^NarHash: .*$/m, `NarHash: ${formatHash(await sha256(path.nar))}`);
    expect(expectRefusal(await cache.put(`/${path.key}`, sameHash), 400)).toMatch(/FileSize and NarSize/);
  });

  test("the name of the NAR and the compression agree", async () => {
    const path = await compressedPath("misnamed");
    const text = path.text.replace("Compression: xz", "Compression: zstd");
    expect(expectRefusal(await cache.put(`/${path.key}`, text), 400)).toMatch(/zstd.*named as xz/);
  });

  test("is refused before the bucket or the catalog is asked", async () => {
    const watched = watch(env.BUCKET);
    const path = await testPath();
    const watchedCache = cacheWith({ BUCKET: watched.bucket });
    await watchedCache.put(`/${HASH}.narinfo`, path.text);
    expect([watched.operations, watchedCache.catalog.calls]).toEqual([[], []]);
  });
});

describe("step 2: the NAR is there and is the one", () => {
  test("not there", async () => {
    const path = await testPath();
    const line = expectRefusal(await cache.put(`/${path.key}`, path.text), 409);
    expect(line).toContain(`the NAR ${path.narKey} is not in this cache; push the path again`);
    expect(await keys()).toEqual([]);
  });

  test("of another size than FileSize", async () => {
    const path = await compressedPath("sized");
    const line = expectRefusal(await push(cache, path, path.text.replace(/^(FileSize: ).*$/m, "$17")), 409);
    expect(line).toMatch(new RegExp(`has ${path.nar.length} bytes, not 7`));
    expect(await keys()).toEqual([path.narKey]);
  });

  test("of another hash than FileHash", async () => {
    const path = await compressedPath("hashed");
    const other = formatHash(await sha256(bytesOf("other")));
    const line = expectRefusal(
      await push(cache, path, path.text.replace(/^(FileHash: ).*$/m, `$1${other}`)),
      409,
    );
    expect(line).toMatch(new RegExp(`has the hash sha256:.*, not ${other}`));
    expect(await keys()).toEqual([path.narKey]);
  });

  test("cut short by another tool", async () => {
    const path = await compressedPath("cut");
    await store(path.narKey, path.nar.slice(0, -1));
    expectRefusal(await cache.put(`/${path.key}`, path.text), 409);
  });

  test("a store path with the same archive as another needs no second NAR", async () => {
    const [first, second] = [await testPath("one", "the same"), await testPath("two", "the same")];
    expect(first.narKey).toBe(await narKeyOf(second.nar));
    await push(cache, first);
    expect((await cache.put(`/${second.key}`, second.text)).status).toBe(201);
  });
});

describe("step 4: nothing is published whose references are not here", () => {
  const referringTo = (...references: string[]) => testPath("referring", "referring", { references });

  test("refused: the first missing ones are named, and what is to be done", async () => {
    const library = await testPath("library-1.0");
    await push(cache, library);
    const absent = Array.from({ length: 7 }, (_, index) => `${index}`.repeat(32).concat(`-absent-${index}`));
    const path = await referringTo(
      ...absent.slice(0, 3),
      library.info.storePath.baseName,
      ...absent.slice(3),
    );
    const line = expectRefusal(await push(cache, path), 409);
    expect(line).toBe(
      `${path.info.storePath.baseName} refers to what is not in this cache: ${absent.slice(0, 5).join(", ")} and 2 more; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here\n`,
    );
    expect(await keys()).toEqual([library.key, library.narKey, path.narKey].sort());
    expectRefusal(await cache.get(`/${path.key}`), 404);
  });

  test("a hash under another name is another path", async () => {
    const library = await testPath("library-1.0");
    await push(cache, library);
    const { hash } = library.info.storePath;
    const line = expectRefusal(await push(cache, await referringTo(`${hash}-library-2.0`)), 409);
    expect(line).toContain(`${hash}-library-2.0`);
  });

  test("its own hash under another name is no reference to itself", async () => {
    const path = await testPath("itself");
    const references = [`${path.info.storePath.hash}-another`];
    expectRefusal(await push(cache, path, formatNarInfo({ ...path.info, references })), 400);
  });

  test("a hash that is taken by another name is refused", async () => {
    const path = await testPath("taken-1.0");
    await push(cache, path);
    const { storePath } = path.info;
    const other = { ...storePath, name: "taken-2.0", baseName: `${storePath.hash}-taken-2.0` };
    const renamed = formatNarInfo({ ...path.info, storePath: other, references: [] });
    expect(expectRefusal(await cache.put(`/${path.key}`, renamed), 409)).toContain("taken-1.0");
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("published once they are", async () => {
    const library = await testPath("library-1.0");
    const path = await referringTo(library.info.storePath.baseName);
    expect((await push(cache, path)).status).toBe(409);
    await push(cache, library);
    expect((await cache.put(`/${path.key}`, path.text)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("a NAR alone is no reference", async () => {
    const library = await testPath("library-1.0");
    await cache.put(`/${library.narKey}`, library.nar);
    const path = await referringTo(library.info.storePath.baseName);
    expectRefusal(await push(cache, path), 409);
  });

  test("the path itself is one", async () => {
    const { info } = await referringTo();
    const path = await referringTo(info.storePath.baseName);
    expect((await push(cache, path)).status).toBe(201);
  });

  test("what another tool has put into the bucket counts", async () => {
    const library = await testPath("library-1.0");
    await store(library.narKey, library.nar);
    await store(library.key, library.text);
    const path = await referringTo(library.info.storePath.baseName);
    expect((await push(cache, path)).status).toBe(201);
  });

  test("what no client could read does not", async () => {
    const library = await testPath("library-1.0");
    await store(library.key, library.text.replace(/^NarHash: .*\n/m, ""));
    const path = await referringTo(library.info.storePath.baseName);
    expectRefusal(await push(cache, path), 409);
  });

  test("an open cache does not ask", async () => {
    const path = await referringTo(`${HASH}-elsewhere`);
    expect((await push(cacheWith(OPEN), path)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("an open cache asks for the NAR all the same", async () => {
    const path = await referringTo(`${HASH}-elsewhere`);
    expectRefusal(await cacheWith(OPEN).put(`/${path.key}`, path.text), 409);
    expect(await keys()).toEqual([]);
  });
});
