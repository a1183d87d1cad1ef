/** Documents of store paths as web pages: what of their own they have, how much of it, and nothing else. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { ADMIN_TOKEN, basic, cacheWith, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { pushTree } from "../support/page-files.ts";

afterEach(reset);
captureLog();

const HTML = { Accept: "text/html" };
const MEMBER = { ...HTML, Authorization: basic("any", PUSH_TOKEN) };
const cache = cacheWith();

/** The texts of all `data:` URLs in a document, with those within them. */
function dataIn(text: string): string[] {
  return [...text.matchAll(/data:([a-z0-9/+-]+);base64,([A-Za-z0-9+/=]+)/g)].flatMap(
    ([, type, base64 = ""]) => {
      const content = atob(base64);
      return [`${type} ${content}`, ...dataIn(content)];
    },
  );
}

async function shown(files: Readonly<Record<string, string>>, path = "/"): Promise<string> {
  const { hash } = await pushTree(cache, files);
  const { status, text } = await cache.get(`/_/serve/${hash}${path}`, MEMBER);
  expect(status).toBe(200);
  return text;
}

describe("a document whose files need a credential has them in it", () => {
  test.each<[what: string, html: string, files: Record<string, string>, expected: string]>([
    ["a stylesheet", '<link rel=stylesheet href="a.css?v=1">', { "a.css": "A" }, "text/css A"],
    ["an icon", '<link rel="shortcut icon" href=a.ico>', { "a.ico": "A" }, "image/x-icon A"],
    ["a picture", "<img src=d/a.png>", { "d/a.png": "A" }, "image/png A"],
    ["a picture of several sizes", '<img srcset="a.png 1x, b.png 2x">', { "a.png": "A" }, "image/png A"],
    ["one of a style", "<style>p{background:url(a.png)}</style>", { "a.png": "A" }, "image/png A"],
    ["one of an attribute", "<p style=\"background:url('a.png')\">", { "a.png": "A" }, "image/png A"],
    ["an import", '<style>@import "a.css";</style>', { "a.css": "A" }, "text/css A"],
    [
      "what a stylesheet imports, beside it",
      "<link rel=stylesheet href=css/a.css>",
      { "css/a.css": '@import url("b.css") screen;', "css/b.css": "B" },
      "text/css B",
    ],
    [
      "a font",
      "<link rel=stylesheet href=css/a.css>",
      { "css/a.css": "src: url( '../fonts/a.woff2?x#iefix' )", "fonts/a.woff2": "F" },
      "font/woff2 F",
    ],
    ["what a symlink leads to", "<img src=a.png>", { "a.png": "->b.png", "b.png": "B" }, "image/png B"],
  ])("%s", async (_, html, files, expected) => {
    expect(dataIn(await shown({ "index.html": html, ...files }))).toContain(expected);
  });

  test("a font in the best of its formats only", async () => {
    const text = await shown({
      "index.html": "<style>src: url(a.eot), url(a.woff2), url(a.woff), url(a.ttf)</style>",
      ...{ "a.eot": "1", "a.woff2": "2", "a.woff": "3", "a.ttf": "4" },
    });
    expect(dataIn(text)).toEqual(["font/woff2 2"]);
  });

  test.each([
    ["elsewhere", "<img src=https://example.com/a.png>"],
    ["of the server", "<img src=/a.png>"],
    ["outside", "<img src=../../a.png>"],
    ["that is not there", "<img src=b.png>"],
    ["that is no picture", "<img src=index.html>"],
    ["of a script", "<script src=a.js></script>"],
  ])("and nothing %s", async (_, html) => {
    expect(await shown({ "index.html": html, "a.png": "A", "a.js": "A" })).toBe(html);
  });

  test("stylesheets in a circle end", async () => {
    const text = await shown({
      "index.html": "<link rel=stylesheet href=a.css>",
      ...{ "a.css": "@import 'b.css';", "b.css": "@import 'a.css';" },
    });
    expect(dataIn(text)).toHaveLength(4);
  });

  test("however often it names them, it stays small", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `${index}.css`);
    const all = names
      .map((name) => `@import "${name}";`)
      .join("")
      .repeat(40);
    const text = await shown({
      "index.html": "<link rel=stylesheet href=0.css>".repeat(2000),
      ...Object.fromEntries(names.map((name) => [name, all])),
    });
    expect(text.length).toBeLessThan(24 * 1024 ** 2);
  });

  test("large files stay links", async () => {
    const text = await shown({
      "index.html": "<img src=a.png><img src=b.png>",
      ...{ "a.png": "x".repeat(4 * 1024 ** 2 + 1), "b.png": "B" },
    });
    expect(text).toContain("<img src=a.png>");
    expect(dataIn(text)).toEqual(["image/png B"]);
  });
});

test("where reading needs no credential, a document loads its files from where it is", async () => {
  const open = cacheWith({ ADMIN_TOKEN, CACHES: { "nix-cache": { listing: "public" } } });
  const { hash } = await pushTree(open, { "index.html": "<img src=a.png>", "a.png": "A" });
  for (const place of [`/_/serve/${hash}/`, `/nix-cache/_/serve/${hash}/`]) {
    const { text, headers } = await open.get(place, HTML);
    expect(text).toBe("<img src=a.png>");
    expect(headers.get("Content-Security-Policy")).toContain(
      `img-src https://cache.example.org${place} data:`,
    );
    // A sandboxed document is of no origin: fonts are asked for across origins.
    expect((await open.get(`${place}a.png`)).headers.get("Access-Control-Allow-Origin")).toBe("*");
  }
});
