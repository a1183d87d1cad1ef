/** Narinfos of other programs: what Nix reads of them is read, and what some Nix reads is told from what none does. */
import { describe, expect, test } from "vitest";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import { isReadBySomeNix, normalizeNarInfo, UNKNOWN_SIZE } from "../../src/nix/stored-narinfo.ts";
import { narInfos } from "./fixtures.ts";

const STORE = "/nix/store";
const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
const NAR_HASH = "11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb";
const TEXT = `StorePath: ${STORE}/${HASH}-demo-app-1.0
URL: nar/${NAR_HASH}.nar
Compression: none
FileHash: sha256:${NAR_HASH}
FileSize: 576
NarHash: sha256:${NAR_HASH}
NarSize: 576
References: p8zxr21qmbn9fwd0jvcsmk73wfrl8axy-libdemo-1.0
System: x86_64-linux
`;
const SRI = parseNarInfo(TEXT, STORE).narHash.bytes.toBase64();

function withLine(key: string, line: string): string {
  return TEXT.replace(new RegExp(`^${key}: .*\n`, "m"), () => line);
}

test.each(narInfos)("one of Nix stays as it is: $version, $folder, $hash", ({ text, hash }) => {
  expect(normalizeNarInfo(text)).toBe(text);
  expect(isReadBySomeNix(text, hash)).toBe(true);
});

describe("read as Nix reads it", () => {
  test.each([
    ["a size with a plus sign", withLine("NarSize", "NarSize: +576\n")],
    ["a size with zeros", withLine("NarSize", "NarSize: 000576\n")],
    ["a size with a space before, as Nix 2.3", withLine("NarSize", "NarSize:  576\n")],
    ["a FileSize with a plus sign", withLine("FileSize", "FileSize: +576\n")],
    ["a tab behind the colon", withLine("NarSize", "NarSize:\t576\n")],
    ["any character behind the colon", withLine("Compression", "Compression:_none\n")],
    ["a tab behind every colon", TEXT.replaceAll(": ", ":\t")],
    ["SRI without padding", withLine("NarHash", `NarHash: sha256-${SRI.replace("=", "")}\n`)],
    ["SRI with much padding", withLine("NarHash", `NarHash: sha256-${SRI}==\n`)],
    ["a slash behind the path", withLine("StorePath", `StorePath: ${STORE}//${HASH}-demo-app-1.0/\n`)],
    ["a field that Nix ignores, with a control character", `${TEXT}X: \u0007\n`],
    ["a key that is no word", `${TEXT}a b: c\n`],
    ["an empty line before a field that Nix ignores", `${TEXT}\nx: y\n`],
  ])("%s", (_, text) => {
    expect(text).not.toBe(TEXT);
    expect(() => parseNarInfo(normalizeNarInfo(text), STORE)).not.toThrow();
    expect(parseNarInfo(normalizeNarInfo(text), STORE)).toEqual(parseNarInfo(TEXT, STORE));
    expect(isReadBySomeNix(text, HASH)).toBe(true);
  });

  test.each(["9007199254740992", "18446744073709551615"])("a size that is not exact: %s", (size) => {
    const text = withLine("NarSize", `NarSize: ${size}\n`);
    expect(parseNarInfo(normalizeNarInfo(text), STORE).narSize).toBe(UNKNOWN_SIZE);
    expect(isReadBySomeNix(text, HASH)).toBe(true);
  });

  test("without a space the first character is no part of the value", () => {
    const text = withLine("NarSize", "NarSize:576\n");
    expect(parseNarInfo(normalizeNarInfo(text), STORE).narSize).toBe(76);
  });

  test("an empty line makes another key of the next", () => {
    const text = TEXT.replace("Compression", "\nCompression");
    expect(parseNarInfo(normalizeNarInfo(text), STORE).compression).toBe("bzip2");
  });
});

describe("read by some Nix", () => {
  test.each([
    ["another store", TEXT.replace("/nix/store", "/gnu/store")],
    ["an unknown compression", withLine("Compression", "Compression: zpaq\n")],
    ["a signature that is none", `${TEXT}Sig: x\n`],
    ["a content address that is none", `${TEXT}CA: x\n`],
    ["a URL with a space", withLine("URL", "URL: nar/a b\n")],
    ["a long URL", withLine("URL", `URL: https://a.example/${"a".repeat(2000)}\n`)],
    ["a NarHash of another algorithm", withLine("NarHash", `NarHash: sha1:${"0".repeat(32)}\n`)],
    [
      "references with any characters, as Nix 2.3",
      withLine("References", `References: ${"e".repeat(32)}~ü\n`),
    ],
    ["a name with any characters, as Nix 2.3", TEXT.replace("demo-app-1.0", "demo app")],
    ["a URL in CRLF", withLine("URL", "URL: nar/a\r\n")],
    ["an empty CA before another", `${TEXT}CA: \nCA: x\n`],
  ])("%s", (_, text) => expect(isReadBySomeNix(text, HASH)).toBe(true));
});

describe("read by no Nix", () => {
  test.each([
    ["nothing", ""],
    ["HTML", "<html>\n<body>404: not found</body>\n</html>\n"],
    ["cut", TEXT.slice(0, -1)],
    ["CRLF", TEXT.replaceAll("\n", "\r\n")],
    ["an empty line at the end", `${TEXT}\n`],
    ["a byte order mark", `\ufeff${TEXT}`],
    ["another path", TEXT.replaceAll(HASH, "p8zxr21qmbn9fwd0jvcsmk73wfrl8axy")],
    ["a base name", TEXT.replace(`${STORE}/`, "")],
    ...["StorePath", "URL", "NarHash", "NarSize"].map((key) => [`no ${key}`, withLine(key, "")]),
    ...["", "0", "+0", "-1", "1e3", "576 ", "5 76", "0x10", "18446744073709551616"].map((size) => [
      `NarSize ${JSON.stringify(size)}`,
      withLine("NarSize", `NarSize: ${size}\n`),
    ]),
    ["a FileSize that is none", withLine("FileSize", "FileSize: many\n")],
    ["a NarHash that is cut", withLine("NarHash", `NarHash: sha256:${NAR_HASH.slice(1)}\n`)],
    ["a FileHash without algorithm", withLine("FileHash", `FileHash: ${NAR_HASH}\n`)],
    ["a reference that is too short", withLine("References", "References: x\n")],
    ["a reference in the store", withLine("References", `References: ${STORE}/${HASH}-x\n`)],
    ["References twice", `${TEXT}References: \n`],
    ["CA twice", `${TEXT}CA: x\nCA: \n`],
    ["an empty Deriver", `${TEXT}Deriver: \n`],
  ])("%s", (_, text = "") => expect(isReadBySomeNix(text, HASH)).toBe(false));
});
