/** Publishing a narinfo: it is strictly parsed, and of the path that the key says. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { formatHash } from "../../../src/nix/hash.ts";
import { parseNarInfo } from "../../../src/nix/narinfo.ts";
import { narInfos, narOf } from "../../nix/fixtures.ts";
import { watch } from "../../support/bucket.ts";
import { cacheWith, keys } from "../../support/cache.ts";
import { HASH } from "../../support/objects.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { compressedPath, sha256, testPath } from "../../support/store-paths.ts";

afterEach(reset);

const cache = cacheWith();

describe("strictly parsed, and of the path that the key says", () => {
  test.each<[string, (text: string) => string, RegExp]>([
    ["another store path", (text) => text.replace(/\/store\/\w{32}/, `/store/${HASH}`), /does not belong to/],
    [
      "another store",
      (text) => text.replace("/nix/store/", "/gnu/store/"),
      /^narinfo: StorePath: .*\/nix\/store/,
    ],
    ["a line without a key", (text) => `${text}\n`, /^narinfo: line \d+ is not/],
    ["CRLF", (text) => text.replaceAll("\n", "\r\n"), /^narinfo: lines must end in LF/],
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
    ...["?", "#", "?x=1", "#x", "%3F", "%3fx", "%23"].map(
      (end): [string, (text: string) => string, RegExp] => [
        `a URL with ${end}`,
        (text) => text.replace(/^URL: .*$/m, `$&${end}`),
        /^narinfo: URL: .* has a "\?" or "#"/,
      ],
    ),
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
    const real = narInfos.find(({ folder, text }) => folder === "bzip2" && /^References: $/m.test(text));
    if (real === undefined) throw new Error("no fixture");
    const { url } = parseNarInfo(real.text, "/nix/store");
    await cache.put(`/${url}`, await narOf(real, url));
    const key = `/${real.hash}.narinfo`;
    expect((await cache.put(key, real.text.replace("Compression: bzip2\n", ""))).status).toBe(201);
    expect((await cache.get(key)).text).toBe(real.text);
  });

  test("without compression the file is the archive", async () => {
    const path = await compressedPath("not-compressed");
    const text = path.text.replace(".nar.zst", ".nar").replace("Compression: zstd", "Compression: none");
    await cache.put(`/${path.narKey.replace(".zst", "")}`, path.nar);
    expect(expectRefusal(await cache.put(`/${path.key}`, text), 400)).toMatch(/FileHash and NarHash/);
    const sameHash = text.replace(/^NarHash: .*$/m, `NarHash: ${formatHash(await sha256(path.nar))}`);
    expect(expectRefusal(await cache.put(`/${path.key}`, sameHash), 400)).toMatch(/FileSize and NarSize/);
  });

  test("FileHash is of an algorithm that every client has", async () => {
    const path = await compressedPath("blake3");
    const text = path.text.replace(/^FileHash: .*$/m, `FileHash: blake3:${"0".repeat(64)}`);
    expect(expectRefusal(await cache.put(`/${path.key}`, text), 400)).toMatch(/FileHash is a blake3 hash/);
  });

  test("the name of the NAR and the compression agree", async () => {
    const path = await compressedPath("misnamed");
    const text = path.text.replace("Compression: zstd", "Compression: xz");
    expect(expectRefusal(await cache.put(`/${path.key}`, text), 400)).toMatch(/xz.*named as zstd/);
  });

  test("is refused before the bucket or the catalog is asked", async () => {
    const watched = watch(env.BUCKET);
    const path = await testPath();
    const watchedCache = cacheWith({ BUCKET: watched.bucket });
    await watchedCache.put(`/${HASH}.narinfo`, path.text);
    expect([watched.operations, watchedCache.catalog.calls]).toEqual([[], []]);
  });
});
