/** Publishing a narinfo whose NAR is there: what goes in comes out. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { parseNarInfo } from "../../../src/nix/narinfo.ts";
import { narInfos, narOf } from "../../nix/fixtures.ts";
import { cacheWith, OPEN, store } from "../../support/cache.ts";
import { HASH } from "../../support/objects.ts";
import { compressedPath, push, testPath } from "../../support/store-paths.ts";

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

  const real = narInfos.filter(({ folder }) => folder === "none");

  test("real ones of two versions of Nix", () => expect(real).toHaveLength(8));

  test.each(real)("of Nix $version: $hash comes out as it went in", async (fixture) => {
    const { hash, text } = fixture;
    const { url } = parseNarInfo(text, "/nix/store");
    // What it refers to is not here.
    const open = cacheWith(OPEN);
    await open.put(`/${url}`, await narOf(fixture, url));
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
    const path = await testPath("other", "other", { url: "./nar/ab/demo%2B1.0.nar" });
    await store("nar/ab/demo+1.0.nar", path.nar);
    expect((await cache.put(`/${path.key}`, path.text)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });
});
