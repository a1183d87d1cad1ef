/** The path of a request: decoded once, and nothing that can name no object. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { parsePath, pathBelow } from "../../src/http/path.ts";

const ORIGIN = "https://cache.example.org";
const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";

describe("a path is decoded once, whatever its spelling", () => {
  test.each([
    ["", "/"],
    ["/", "/"],
    ["/nix-cache-info", "/nix-cache-info"],
    ["/nix%2Dcache%2dinfo", "/nix-cache-info"],
    ["/a!b", "/a!b"],
    ["/a%21b", "/a!b"],
    ["/c++", "/c++"],
    ["/c%2B%2b", "/c++"],
    ["/a=b", "/a=b"],
    ["/a%3Db", "/a=b"],
    ["/a%3Fb", "/a?b"],
    ["/a:b@c", "/a:b@c"],
    ["/a%20b", "/a b"],
    ["/a%2525b", "/a%25b"],
    ["/a%252Fb", "/a%2Fb"],
    ["/.hidden", "/.hidden"],
    ["/a..b/c", "/a..b/c"],
    ["/...", "/..."],
  ])("%j is %j", (raw, path) => {
    expect(parsePath(ORIGIN + raw)).toEqual({ path, query: "" });
  });

  test.each(["http://localhost:8787/x", "https://u@[::1]:1/x", "https://h/x"])("of %j, /x", (url) => {
    expect(parsePath(url)).toEqual({ path: "/x", query: "" });
  });
});

describe("a query is ignored, but path and query may be one name", () => {
  test.each([
    ["/x?", "/x?"],
    ["/x?a", "/x?a"],
    ["/x?a=1", "/x?a=1"],
    ["/x?a?b", "/x?a?b"],
    ["/x?a+b.drv", "/x?a+b.drv"],
    ["/x?a=1&b=2", "/x?a=1&b=2"],
    ["/x?a%2Bb%3D1.drv", "/x?a+b=1.drv"],
    ["/x?a%3Fb.drv", "/x?a?b.drv"],
    ["/x?a/out.doi", "/x?a/out.doi"],
    ["/x%3Fa?b", "/x?a?b"],
  ])("%j may be the name %j", (raw, pathWithQuery) => {
    expect(parsePath(ORIGIN + raw).pathWithQuery).toBe(pathWithQuery);
  });

  test.each([
    "/x?a=%zz",
    "/x?a=%ff",
    "/x?a=%00",
    "/x?a=%2F..",
    "/x?a%2Fout.doi",
    "/x?a//b",
    "/x?a/../b",
    "/x?a/.",
    "/x?a/",
    "/x?a\\b",
    "/x?ä",
    `/x?${"a".repeat(5000)}`,
    `/x?${"a".repeat(1022)}`,
  ])("%j is /x and a query", (raw) => {
    expect(parsePath(ORIGIN + raw)).toEqual({ path: "/x", query: raw.slice(3) });
  });
});

describe("what can name no object", () => {
  test.each([
    // Segments that a file system, a proxy or another server would fold.
    ["/..", 400],
    ["/../x", 400],
    ["/nar/..", 400],
    ["/nar/../x", 400],
    ["/nar/%2e%2e/x", 400],
    ["/nar/%2E./x", 400],
    ["/nar/.%2e/x", 400],
    ["/nar/./x", 400],
    ["/nar/%2e/x", 400],
    ["/nar/.", 400],
    ["//", 400],
    ["//x", 400],
    ["/nar//x", 400],
    ["/nar/x/", 400],
    ["/../", 400],
    ["/./", 400],
    // An encoded slash looks like one segment to one program and like two to another.
    ["/nar%2fx", 400],
    ["/nar%2Fx", 400],
    ["/%2f", 400],
    ["/..%2fx", 400],
    // Characters that no key has.
    ["/nar/%00", 400],
    ["/nar/a%00.nar", 400],
    ["/nar/a\0b", 400],
    ["/nar/a%0ab", 400],
    ["/nar/a%0d%0aSet-Cookie:x", 400],
    ["/nar/a%7f", 400],
    ["/nar/a\\b", 400],
    ["/nar/a%5cb", 400],
    ["/nar/..%5cx", 400],
    ["/nar/é", 400],
    ["/nar/%C3%A9", 400],
    ["/nar/\u202e", 400],
    // Escapes that mean nothing.
    ["/nar/%", 400],
    ["/nar/%2", 400],
    ["/nar/%zz", 400],
    ["/nar/%u0041", 400],
    ["/nar/%ff", 400],
    ["/nar/%c0%af", 400],
    ["/nar/%ed%a0%80", 400],
    // Longer than a key of R2.
    [`/${"a".repeat(1024)}`, 414],
    [`/${"%61".repeat(1024)}`, 414],
    [`/${"a".repeat(100_000)}`, 414],
    [`/${"%".repeat(100_000)}`, 414],
  ])("%j is %d", (raw, status) => {
    expect(() => parsePath(ORIGIN + raw)).toThrow(expect.objectContaining({ status }));
  });

  test("1024 characters, the longest key of R2, are not too long", () => {
    const path = `/${"a".repeat(1023)}`;
    expect(parsePath(ORIGIN + path)).toEqual({ path, query: "" });
    expect(parsePath(`${ORIGIN}/${"%61".repeat(1023)}`)).toEqual({ path, query: "" });
  });
});

describe("below a folder of the server", () => {
  const below = (raw: string) => pathBelow("nix-cache", parsePath(ORIGIN + raw));

  test.each([
    ["/nix-cache", { path: "/", query: "" }],
    ["/nix-cache/", { path: "/", query: "" }],
    ["/nix-cache?a=b", { path: "/", query: "a=b" }],
    ["/nix-cache/?a=b", { path: "/", query: "a=b" }],
    ["/nix-cache/nar/x", { path: "/nar/x", query: "" }],
    ["/nix-cache/nix-cache/nar/x", { path: "/nix-cache/nar/x", query: "" }],
    ["/nix-cache/x?y.drv", { path: "/x", query: "y.drv", pathWithQuery: "/x?y.drv" }],
  ])("%s", (raw, path) => {
    expect(below(raw)).toEqual(path);
  });

  test.each(["/", "/nix-cach", "/nix-cache2", "/nix-cache2/x", "/nix-cache-info", "/x/nix-cache"])(
    "%s is not",
    (raw) => {
      expect(below(raw)).toBeUndefined();
    },
  );
});

describe("for any input", () => {
  const awkward = fc.string({
    unit: fc.constantFrom(
      "/",
      ".",
      "%",
      "2",
      "e",
      "f",
      "F",
      "5",
      "c",
      "0",
      "?",
      "\\",
      "\0",
      "#",
      "a",
      "é",
      "+",
    ),
    maxLength: 30,
  });
  const anything = fc.oneof(awkward, fc.string({ unit: "binary" }), fc.webPath(), fc.webQueryParameters());

  test("the answer is a safe path or a 4xx", () => {
    fc.assert(
      fc.property(anything, (raw) => {
        try {
          const { path, pathWithQuery } = parsePath(`${ORIGIN}/${raw}`);
          for (const text of pathWithQuery === undefined ? [path] : [path, pathWithQuery]) {
            expect(text).toMatch(/^\/[\x20-\x7e]*$/);
            expect(text).not.toContain("\\");
            expect(text.length).toBeLessThan(1025);
            // Only the folder of a cache ends in a slash, and that of its pages.
            const segments = text
              .replace(/^((?:\/[a-z0-9-]+)?\/_|\/[a-z0-9-]+)\/$/, "$1")
              .split("/")
              .slice(1);
            if (text !== "/") expect(segments).not.toContain("");
            expect(text.split("/")).not.toContain("..");
            expect(text.split("/")).not.toContain(".");
          }
        } catch (error) {
          expect(error).toBeInstanceOf(HttpError);
          expect([400, 414]).toContain((error as HttpError).status);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("every spelling of a store path's name is that name", () => {
    const name = fc.string({
      unit: fc.constantFrom(..."0123456789abcxyzABCXYZ+-._?="),
      minLength: 1,
      maxLength: 60,
    });
    const spelled = (text: string, encoded: boolean[]) =>
      [...text].map((character, index) => (encoded[index] ? escapeOf(character) : character)).join("");
    fc.assert(
      fc.property(name, fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (text, encoded) => {
        const { path, pathWithQuery } = parsePath(`${ORIGIN}/log/${HASH}-${spelled(text, encoded)}.drv`);
        expect(pathWithQuery ?? path).toBe(`/log/${HASH}-${text}.drv`);
      }),
      { numRuns: 1000 },
    );
  });
});

function escapeOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

describe("a query", () => {
  test("may be as long as a pre-signed URL with the longest token, not longer", () => {
    expect(parsePath(`${ORIGIN}/x?${"a".repeat(32_767)}`).query).toHaveLength(32_767);
    expect(() => parsePath(`${ORIGIN}/x?${"a".repeat(32_768)}`)).toThrow(
      expect.objectContaining({ status: 414 }),
    );
  });
});

describe("below /api/v1/subjects/ and /api/v1/paths/ a path ends in a name with any characters", () => {
  test.each([
    ["/api/v1/subjects/a/b", "/api/v1/subjects/a/b"],
    ["/api/v1/subjects/a%2Fb", "/api/v1/subjects/a/b"],
    ["/team/api/v1/subjects/a%2f%2Fb%2F", "/team/api/v1/subjects/a//b/"],
    ["/api/v1/subjects/a%5Cb", "/api/v1/subjects/a\\b"],
    ["/api/v1/paths/%2Fnix%2Fstore", "/api/v1/paths//nix/store"],
  ])("%s", (raw, path) => {
    expect(parsePath(ORIGIN + raw).path).toBe(path);
  });

  test.each([
    "/api/v1/subjects/a%00",
    "/api/v1/subjects/%zz",
    "/api/v1/subjects/%C3%A4",
    "/api/v1/subjects//a%2Fb/../../x%",
    "/api/v1/tokens/a%2Fb",
    "/a/b/api/v1/subjects/a%2Fb",
    "/api/v1%2Fsubjects/a",
    "//api/v1/subjects/a",
  ])("not %s", (raw) => {
    expect(() => parsePath(ORIGIN + raw)).toThrow(HttpError);
  });
});
