/** The URL of a narinfo names an object of the cache, or it is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/nix/format-error.ts";
import { compressionOfExtension, narKeyOfUrl, narPlaceOf } from "../../src/nix/nar-url.ts";

describe("narKeyOfUrl", () => {
  test.each([
    ["nar/a.nar.xz", "nar/a.nar.xz"],
    ["./nar/a.nar", "nar/a.nar"],
    ["nar/a.nar?x=../../b", "nar/a.nar"],
    ["nar/a.nar#//", "nar/a.nar"],
    ["nar/c++%2B%3D%21.nar", "nar/c+++=!.nar"],
    ["nar/a%3Fb%23c.nar", "nar/a?b#c.nar"],
    ["nar/zstd/abc-hello-2.10", "nar/zstd/abc-hello-2.10"],
    ["nar/gzip%2Fabc", "nar/gzip/abc"],
    ["%6ear/a", "nar/a"],
    ["nar/a:b", "nar/a:b"],
    ["nar/%2525", "nar/%25"],
  ])("%s is %s", (url, key) => {
    expect(narKeyOfUrl(url)).toBe(key);
  });

  test.each([
    "",
    "nar",
    "nar/",
    "nar/?a",
    "narx/a",
    "log/a",
    "a.narinfo",
    "Nar/a",
    "/nar/a",
    "//host/nar/a",
    "https://host/nar/a",
    "file:nar/a",
    "nar/../nar/a",
    "nar/%2e%2e/nix-cache-info",
    "nar/.%2e/a",
    "../nar/a",
    "nar/./a",
    "nar/a/",
    "nar//a",
    "nar/%2Fa",
    "nar%2F%2E%2E%2Fa",
    "nar/a\\b",
    "nar/a%5Cb",
    "nar/a b",
    "nar/a%20b",
    "nar/a%0Ab",
    "nar/a\nb",
    "nar/a%00",
    "nar/é",
    "nar/%C3%A9",
    "nar/%",
    "nar/%zz",
    "nar/%ff",
    "nar/a?\n",
  ])("refuses %j", (url) => {
    expect(() => narKeyOfUrl(url)).toThrow(FormatError);
  });

  test("whatever comes in, a key stays inside nar/", () => {
    const piece = fc.constantFrom(
      "nar",
      "/",
      ".",
      "..",
      "%2e",
      "%2f",
      "%5c",
      "\\",
      "a",
      "?",
      "#",
      ":",
      "%",
      "%00",
      "//",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        let key: string;
        try {
          key = narKeyOfUrl(`nar/${pieces.join("")}`);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          return;
        }
        expect(key).toMatch(/^nar(\/[!-.0-[\]-~]+)+$/);
        expect(key.split("/")).not.toContain("..");
      }),
      { numRuns: 1000 },
    );
  });
});

test.each([
  ["nar/a.nar.xz", "xz"],
  ["nar/a.nar.bz2", "bzip2"],
  ["nar/a.nar.zst", "zstd"],
  ["nar/a.nar.lzip", "lzip"],
  ["nar/a.nar.lz4", "lz4"],
  ["nar/a.nar.br", "br"],
  ["nar/a.nar.gz", "gzip"],
  ["nar/a.nar", undefined],
  ["nar/xz", undefined],
  ["nar/a.xz", undefined],
])("the extension of %s means %s", (key, compression) => {
  expect(compressionOfExtension(key)).toBe(compression);
});

describe("narPlaceOf", () => {
  test.each([
    ["nar/a.nar.xz", "nar/a.nar.xz", false],
    ["./nar/a?x", "nar/a", false],
    ["/nar/a.nar", "nar/a.nar", false],
    // The address of this very cache, as far as can be told.
    ["https://cache.example.org/nar/a.nar?x=/nar/b", "nar/a.nar", true],
    ["s3://bucket/prefix/nar/a.nar", "nar/a.nar", true],
    ["/team/nar/a.nar", "nar/a.nar", true],
    ["//host/nar/a", "nar/a", true],
    ["../nar/a", "nar/a", true],
    ["nar/../nar/a", "nar/a", true],
    ["https://cdn.example.org/0123", "https://cdn.example.org/0123", true],
    ["a.nar.xz", "a.nar.xz", true],
    ["https://a.example/nar/../b", "https://a.example/nar/../b", true],
    ["nar//a", "nar//a", true],
  ])("%s is %s", (url, key, isElsewhere) => expect(narPlaceOf(url)).toEqual({ key, isElsewhere }));
});
