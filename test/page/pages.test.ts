/** The pages as HTTP: for whom, with which headers, and what users have written in them. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { basic, cacheWith, PULL_TOKEN, PUSH_TOKEN, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { pushFile } from "../support/page-files.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf, push, testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const HTML = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const MEMBER = { ...HTML, Authorization: basic("any", PUSH_TOKEN) };
const DERIVER = `${"0".repeat(32)}-demo-1.0.drv`;
const cache = cacheWith();

describe("the front page", () => {
  test.each([
    ["a browser", HTML, "text/html; charset=utf-8"],
    ["curl", { Accept: "*/*" }, "text/plain; charset=utf-8"],
    [
      "Java's URLConnection, whose asterisk names nothing",
      { Accept: "image/gif, *; q=.2" },
      "text/plain; charset=utf-8",
    ],
    ["Nix, which says nothing", {}, "text/plain; charset=utf-8"],
    ["a client that wants no HTML", { Accept: "text/html;q=0, */*" }, "text/plain; charset=utf-8"],
  ])("for %s", async (_, headers, type) => {
    for (const path of ["/", "/nix-cache", "/nix-cache/"]) {
      const answer = await cache.get(path, headers);
      expect([answer.status, answer.headers.get("Content-Type")]).toEqual([200, type]);
      expect(answer.headers.get("Vary")).toBe("Accept, Authorization");
    }
  });

  test("of a named cache has its address, and links to its own pages", async () => {
    const { text } = await cacheWith({ CACHES: { team: {} } }).get("/team/", HTML);
    expect(text).toContain("extra-substituters = https://cache.example.org/team</code>");
    expect(text).toContain('href="/team/_/search"');
    expect(text).not.toMatch(/href="\/_\/(?!style|icon)/);
  });
});

test.each(["/nix-cache-info-x", `/${"0".repeat(32)}.narinfo`, `/nar/${"0".repeat(52)}.nar`, "/log/x"])(
  "a miss of the protocol stays a line of text, also for a browser: %s",
  async (path) => {
    expectRefusal(await cache.get(path, HTML), 404);
  },
);

describe("a page", () => {
  const PAGES = ["/_/", "/_/search", "/_/state", `/_/path/${"0".repeat(32)}`];

  test.each(PAGES)("%s is kept by nobody, and runs nothing but its own script", async (path) => {
    const { headers } = await cache.get(path, MEMBER);
    expect(headers.get("Cache-Control")).toMatch(/no-store/);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Content-Security-Policy")).toMatch(
      /^default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
  });

  test("that is not there is a page for a browser, and a line for others", async () => {
    const path = `/_/path/${"0".repeat(32)}`;
    const page = await cache.get(path, HTML);
    expect([page.status, page.headers.get("Content-Type")]).toEqual([404, "text/html; charset=utf-8"]);
    expectRefusal(await cache.get(path), 404);
    expect(await cache.head(path, HTML)).toMatchObject({ status: 404, text: "" });
  });

  test("changes nothing: no other method, no script but one file, no form but the search", async () => {
    for (const path of PAGES) {
      for (const method of ["POST", "PUT", "DELETE"]) {
        expect((await cache.fetch(path, { method, headers: MEMBER })).status).toBe(405);
      }
      const { text } = await cache.get(path, MEMBER);
      expect(text.match(/<script/g) ?? []).toHaveLength(1);
      expect(text).not.toMatch(/method="?post|\son[a-z]+=|style=|javascript:/i);
    }
  });

  test("has its style and script under names with a hash, for ever", async () => {
    const { text } = await cache.get("/_/", HTML);
    const names = new Set(
      text.match(/(?<=(?:href|src)=")\/_\/(?:style|script|icon)-[0-9a-f]{12}\.(?:css|js|svg)/g),
    );
    expect(names.size).toBe(3);
    for (const name of names) {
      const { status, headers } = await cache.get(name);
      expect([status, headers.get("Cache-Control")]).toEqual([200, "public, max-age=31536000, immutable"]);
    }
    expectRefusal(await cache.get("/_/style-000000000000.css"), 404);
  });
});

test("pins are shown to those only who may list them", async () => {
  const path = await testPath();
  await push(cache, path);
  const { hash, baseName } = path.info.storePath;
  const body = JSON.stringify({ store_path: `/nix/store/${baseName}` });
  await cache.put("/api/v1/pins/secret-project", body);
  expect((await cache.get(`/_/path/${hash}`, MEMBER)).text).toContain("secret-project");
  expect((await cache.get(`/_/path/${hash}`, HTML)).text).not.toContain("secret-project");
  expect((await cache.get(`/api/v1/paths/${hash}`)).text).not.toContain("secret-project");
});

describe("a search", () => {
  test.each([
    (hash: string) => hash,
    (hash: string) => `/nix/store/${hash}-hello-1.0`,
    (hash: string) => `${hash}-hello-1.0`,
    (hash: string) => ` https://cache.example.org/${hash}.narinfo `,
  ])("for what names a path leads to it", async (spelling) => {
    const { hash } = (await testPath()).info.storePath;
    const { status, headers } = await cache.get(`/_/search?q=${encodeURIComponent(spelling(hash))}`, MEMBER);
    expect([status, headers.get("Location")]).toEqual([303, `https://cache.example.org/_/path/${hash}`]);
  });

  test.each([`q=${"x".repeat(212)}`, "cursor=x", "q=x&cursor=eyJ4IjoxfQ"])("%s is refused", async (query) => {
    expect((await cache.get(`/_/search?${query}`, MEMBER)).status).toBe(400);
  });
});

describe("a log", () => {
  const LOG = "\x1b[32mok\x1b[0m <script>";
  const SHOWN = '<span class="f2">ok</span> &lt;script&gt;</pre>';
  test.each([
    ["plain", bytesOf(LOG), {}],
    ["gzip", gzipSync(LOG), { contentEncoding: "gzip" }],
    ["br", brotliCompressSync(LOG), { contentEncoding: "br" }],
    ["zstd", zstdCompressSync(LOG), { contentEncoding: "zstd" }],
  ])("that is stored as %s", async (_, body, metadata) => {
    await store(`log/${DERIVER}`, new Uint8Array(body), metadata);
    const { status, text } = await cache.get(`/_/log/${DERIVER}`, HTML);
    expect(status).toBe(200);
    expect(text).toContain(SHOWN);
  });

  test.each([
    ["cut", gzipSync(LOG).subarray(0, 20), "gzip"],
    ["no gzip", bytesOf(LOG), "gzip"],
    ["of an unknown encoding", bytesOf(LOG), "rot13"],
  ])("that is %s says so in its place", async (_, body, contentEncoding) => {
    await store(`log/${DERIVER}`, new Uint8Array(body), { contentEncoding });
    const { status, text } = await cache.get(`/_/log/${DERIVER}`, HTML);
    expect(status).toBe(200);
    expect(text).toMatch(/The log breaks off here.*<\/html>$/s);
  });

  test("that is long is cut for strangers, and whole for members", async () => {
    const long = new Uint8Array(5 * 1024 ** 2).fill(120);
    await store(`log/${DERIVER}`, gzipSync(long) as Uint8Array<ArrayBuffer>, { contentEncoding: "gzip" });
    const strangers = await cache.get(`/_/log/${DERIVER}`, HTML);
    expect(strangers.text.length).toBeLessThan(4.2 * 1024 ** 2);
    expect(strangers.text).toContain("The first 4.00 MiB are shown");
    expect((await cache.get(`/_/log/${DERIVER}`, MEMBER)).text.length).toBeGreaterThan(long.length);
  });
});

describe("files", () => {
  test.each(["none", "zstd"] as const)(
    "of a NAR with compression %s, with a listing and without",
    async (compression) => {
      for (const withListing of [true, false]) {
        const { hash } = await pushFile(cache, { compression, withListing, text: "<b>text</b>\n" });
        const page = await cache.get(`/_/files/${hash}/`, MEMBER);
        expect([page.status, page.text.includes("&lt;b&gt;text&lt;/b&gt;\n")]).toEqual([200, true]);
        const raw = await cache.get(`/_/raw/${hash}?text`, MEMBER);
        expect([raw.status, raw.text]).toEqual([200, "<b>text</b>\n"]);
        expect(raw.headers.get("Content-Type")).toBe("text/plain; charset=utf-8");
        expect(raw.headers.get("Content-Security-Policy")).toMatch(/^sandbox; default-src 'none'; /);
        expect(raw.headers.get("Cache-Control")).toBe("private, no-store");
        const download = await cache.get(`/_/raw/${hash}`, MEMBER);
        expect(download.headers.get("Content-Type")).toBe("application/octet-stream");
        expect(download.headers.get("Content-Disposition")).toMatch(/^attachment; /);
      }
    },
  );

  test.each([
    ["a listing that is no JSON", "{"],
    ["a listing of nothing", '{"version":1}'],
    ["a listing that points behind the NAR", '{"root":{"type":"regular","size":9,"narOffset":99999}}'],
  ])("%s is refused", async (_, listing) => {
    const { hash } = await pushFile(cache, { compression: "none", withListing: false, text: "x" });
    await store(`${hash}.ls`, listing);
    expect((await cache.get(`/_/files/${hash}/`, MEMBER)).status).toBe(404);
    expectRefusal(await cache.get(`/_/raw/${hash}`, { Authorization: MEMBER.Authorization }), 404);
  });

  test("beyond the first 64 MiB of a compressed NAR are refused", async () => {
    const { hash } = await pushFile(cache, { compression: "zstd", withListing: false, text: "x" });
    const key = `${hash}.narinfo`;
    const text = (await (await env.BUCKET.get(key))?.text()) ?? "";
    await store(key, text.replace(/NarSize: .*/, "NarSize: 999999999"));
    await store(`${hash}.ls`, '{"root":{"type":"regular","size":9,"narOffset":99999999}}');
    const refused = await cache.get(`/_/raw/${hash}`, { Authorization: MEMBER.Authorization });
    expect(expectRefusal(refused, 413)).toContain("nix store cat");
  });
});

test("a private cache tells a browser only that it is private", async () => {
  const closed = cacheWith({ PULL_TOKEN });
  const path = await testPath("secret-1.0");
  await push(closed, path);
  const { hash } = path.info.storePath;
  for (const url of ["/", "/_/", "/_/search", `/_/path/${hash}`, `/_/files/${hash}/`, `/_/log/${DERIVER}`]) {
    const { status, text, headers } = await closed.get(url, HTML);
    expect([status, headers.get("WWW-Authenticate")]).toEqual([
      401,
      'Basic realm="nix-cache", charset="UTF-8"',
    ]);
    expect(text).not.toMatch(/secret-1/);
    const read = await closed.get(url, { ...HTML, Authorization: basic("any", PULL_TOKEN) });
    expect([read.headers.get("Cache-Control")]).toEqual(["private, no-store"]);
  }
});
