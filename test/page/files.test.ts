/** Files of store paths over HTTP: lengths and ranges, and listings and NARs that are not as Nix writes them. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { basic, cacheWith, PULL_TOKEN, PUSH_TOKEN, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { pushFile, pushTree } from "../support/page-files.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf, pathOfNar, push } from "../support/store-paths.ts";
import { writeNar } from "../verify/nars.ts";

afterEach(reset);
captureLog();

const HTML = { Accept: "text/html" };
const TOKEN = { Authorization: basic("any", PUSH_TOKEN) };
const MEMBER = { ...HTML, ...TOKEN };
const cache = cacheWith();

describe.each(["none", "zstd"] as const)("a file of a NAR with compression %s", (compression) => {
  const TEXT = "0123456789";
  const url = async () =>
    `/_/raw/${(await pushTree(cache, { "d/a.txt": TEXT }, { compression })).hash}/d/a.txt`;

  test("has its length, also for HEAD", async () => {
    const to = await url();
    expect((await cache.head(to, TOKEN)).headers.get("Content-Length")).toBe("10");
    const { text, headers } = await cache.get(to, TOKEN);
    expect([text, headers.get("Accept-Ranges")]).toEqual([TEXT, "bytes"]);
  });

  test.each([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
    ["bytes=8-99", 206, "89", "bytes 8-9/10"],
    ["bytes=0-1,4-5", 200, TEXT, null],
    ["lines=1-2", 200, TEXT, null],
  ])("%s is answered with %i", async (Range, status, text, contentRange) => {
    const answer = await cache.get(await url(), { ...TOKEN, Range });
    expect([answer.status, answer.text, answer.headers.get("Content-Range")]).toEqual([
      status,
      text,
      contentRange,
    ]);
    expect(answer.headers.get("Content-Security-Policy")).toMatch(/^sandbox; default-src 'none'/);
  });

  test("a range behind it is refused", async () => {
    const answer = await cache.get(await url(), { ...TOKEN, Range: "bytes=10-" });
    expectRefusal(answer, 416);
    expect(answer.headers.get("Content-Range")).toBe("bytes */10");
  });
});

describe("a listing", () => {
  test("with a name that is no Unicode text is shown", async () => {
    const { hash } = await pushTree(cache, { "\ud800.txt": "x", "a.txt": "->\ud800.txt" });
    expect((await cache.get(`/_/files/${hash}/`, MEMBER)).status).toBe(200);
    for (const kind of ["files", "raw", "serve"]) {
      expect([kind, (await cache.get(`/_/${kind}/${hash}/a.txt`, MEMBER)).status]).toEqual([kind, 200]);
    }
  });

  test.each([
    "a\nb",
    "a\tb",
    "\u2028",
    "\u0085",
    "a?b#c",
    "a%2fb",
    "\\",
    "'\"<&",
    "constructor",
    "\u202egnp.exe",
  ])("with the name %j has a link to that file", async (name) => {
    const { hash } = await pushTree(cache, { [`d/${name}`]: "content" });
    const { text } = await cache.get(`/_/files/${hash}/d/`, MEMBER);
    const [, escaped = ""] = /<li class="regular"><a href="([^"]+)"/.exec(text) ?? [];
    const link = escaped.replaceAll("&#39;", "'");
    expect((await cache.get(link, MEMBER)).text).toMatch(/<pre class="text"[^>]*>\ncontent<\/pre>/);
    expect((await cache.get(link.replace("files", "raw"), TOKEN)).text).toBe("content");
  });

  test("of a NAR that names a file in no UTF-8, for which Nix writes none, is made", async () => {
    const file = (name: Uint8Array) => ({
      name,
      node: { type: "regular", executable: false, contents: bytesOf("content") } as const,
    });
    const entries = [file(bytesOf("a.txt")), file(Uint8Array.of(0x62, 0xff, 0xfe))];
    const path = await pathOfNar(writeNar({ type: "directory", entries }), `${"0".repeat(32)}-odd-1.0`);
    expect((await push(cache, path)).status).toBe(201);
    const { hash } = path.info.storePath;
    const { text } = await cache.get(`/_/files/${hash}/`, MEMBER);
    expect(text).toContain(`href="/_/files/${hash}/b%EF%BF%BD%EF%BF%BD">b\ufffd\ufffd</a>`);
    expect((await cache.get(`/_/raw/${hash}/b%EF%BF%BD%EF%BF%BD`, TOKEN)).text).toBe("content");
  });

  test("none is made of a large NAR, compressed or not", async () => {
    for (const compression of ["none", "zstd"] as const) {
      const { hash } = await pushFile(cache, { compression, withListing: false, text: "x" });
      const key = `${hash}.narinfo`;
      const text = (await (await env.BUCKET.get(key))?.text()) ?? "";
      await store(key, text.replace(/NarSize: .*/, `NarSize: ${64 * 1024 ** 2 + 1}`));
      const refused = await cache.get(`/_/files/${hash}/`, TOKEN);
      expect(expectRefusal(refused, 413)).toContain("write-nar-listing=true");
    }
  });
});

test("a directory without a page of its own leads to its files", async () => {
  const { hash } = await pushTree(cache, { "doc/a.txt": "x" });
  const { status, headers } = await cache.get(`/_/serve/${hash}/doc/`, MEMBER);
  expect([status, headers.get("Location")]).toEqual([302, `/_/files/${hash}/doc/`]);
});

test("no answer with content of a pusher, whatever its status, has the rights of this origin", async () => {
  const { hash } = await pushTree(cache, { "a.html": "<script>", "a.svg": "<svg>" });
  for (const file of ["a.html", "a.svg", "missing", "a.html?text"]) {
    for (const kind of ["raw", "serve"]) {
      const { headers } = await cache.get(`/_/${kind}/${hash}/${file}`, TOKEN);
      expect([file, headers.get("Content-Security-Policy")]).toEqual([
        file,
        expect.stringMatching(/default-src 'none'/),
      ]);
    }
  }
});

test("what not everybody may read is for no other site, embedded or not", async () => {
  const { hash } = await pushTree(cache, { "a.png": "x" });
  const policy = async (of: typeof cache, to: string, token: string) =>
    (await of.get(to, { Authorization: basic("any", token) })).headers.get("Cross-Origin-Resource-Policy");
  expect(await policy(cache, `/_/raw/${hash}/a.png`, PUSH_TOKEN)).toBe("same-origin");
  const closed = cacheWith({ PULL_TOKEN });
  for (const to of [
    `/${hash}.narinfo`,
    "/nix-cache-info",
    "/nowhere",
    `/_/raw/${hash}/a.png`,
    "/api/v1/cache",
  ]) {
    expect([to, await policy(closed, to, PULL_TOKEN)]).toEqual([to, "same-origin"]);
  }
  expect(await policy(cache, "/nix-cache-info", PUSH_TOKEN)).toBeNull();
});
