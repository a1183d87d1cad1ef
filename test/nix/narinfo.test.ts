/** Narinfos: those of Nix are read and written the same, and anything else is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/nix/format-error.ts";
import { compressionOfExtension, narKeyOfUrl } from "../../src/nix/nar-url.ts";
import { COMPRESSIONS, formatNarInfo, parseNarInfo } from "../../src/nix/narinfo.ts";
import { hasNar, narInfos } from "./fixtures.ts";

const STORE = "/nix/store";
const SELF = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv-demo-app-1.0";
const LIB = "p8zxr21qmbn9fwd0jvcsmk73wfrl8axy-libdemo-1.0";
const SIG =
  "test-cache-1:4nuBSge6LqGQA/JkBiX84iuxjKOz3sw5OpnIldYMQ8T2sV1Y6Onice5XGIoi5oERcw965SnluKuxERXft11GCw==";
const NAR_HASH = "sha256:11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb";
const TEXT = `StorePath: ${STORE}/${SELF}
URL: nar/0g1hik47b8g95nsjl078gzvfk2gx9adhgvhlvsnpczzhxqsb9773.nar.xz
Compression: xz
FileHash: sha256:0g1hik47b8g95nsjl078gzvfk2gx9adhgvhlvsnpczzhxqsb9773
FileSize: 268
NarHash: ${NAR_HASH}
NarSize: 576
References: ${SELF} ${LIB}
Deriver: 3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-demo-app-1.0.drv
Sig: ${SIG}
CA: fixed:r:sha256:11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb
`;

/** The text with the first line of that key replaced; "" removes it. */
function withLine(key: string, lines: string): string {
  return TEXT.replace(new RegExp(`^${key}: .*\n`, "m"), () => lines);
}

test("the fixtures are all there", () => {
  expect(narInfos).toHaveLength(2 * (6 * 4 + 2));
});

describe.each(narInfos)("Nix $version, $folder, $hash", (fixture) => {
  const info = parseNarInfo(fixture.text, STORE);

  test("comes out byte for byte", () => {
    expect(formatNarInfo(info)).toBe(fixture.text);
  });

  test("means what it says", () => {
    expect(info.storePath.hash).toBe(fixture.hash);
    expect(info.extra).toEqual([]);
    expect(info.compression).toBe(fixture.folder === "twosigs" ? "none" : fixture.folder);
    const key = narKeyOfUrl(info.url);
    expect(hasNar(fixture, key)).toBe(true);
    const plain = info.compression === "none" || info.compression === "gzip";
    expect(compressionOfExtension(key)).toBe(plain ? undefined : info.compression);
  });
});

test("every field", () => {
  const info = parseNarInfo(TEXT, STORE);
  expect(info).toEqual({
    storePath: {
      storeDir: STORE,
      hash: "4crvrnhdg1r8sqc1hblbviqj0iqdajdv",
      name: "demo-app-1.0",
      baseName: SELF,
    },
    url: "nar/0g1hik47b8g95nsjl078gzvfk2gx9adhgvhlvsnpczzhxqsb9773.nar.xz",
    compression: "xz",
    fileHash: { algorithm: "sha256", bytes: expect.any(Uint8Array) },
    fileSize: 268,
    narHash: { algorithm: "sha256", bytes: expect.any(Uint8Array) },
    narSize: 576,
    references: [SELF, LIB],
    deriver: "3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-demo-app-1.0.drv",
    signatures: [SIG],
    ca: "fixed:r:sha256:11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb",
    extra: [],
  });
  expect(formatNarInfo(info)).toBe(TEXT);
});

test("only what is required", () => {
  const text = `NarSize: 1\nNarHash: ${NAR_HASH}\nURL: nar/a.nar.bz2\nStorePath: ${STORE}/${SELF}\n`;
  const info = parseNarInfo(text, STORE);
  expect(Object.keys(info).sort()).toEqual(
    ["storePath", "url", "compression", "narHash", "narSize", "references", "signatures", "extra"].sort(),
  );
  expect(formatNarInfo(info)).toBe(
    `StorePath: ${STORE}/${SELF}\nURL: nar/a.nar.bz2\nCompression: bzip2\nNarHash: ${NAR_HASH}\nNarSize: 1\nReferences: \n`,
  );
});

describe("accepted, and written in Nix's form", () => {
  const hex = parseNarInfo(TEXT, STORE).narHash.bytes.toHex();
  const sri = parseNarInfo(TEXT, STORE).narHash.bytes.toBase64();
  test.each([
    ["NarHash in base16", withLine("NarHash", `NarHash: sha256:${hex}\n`)],
    ["NarHash as SRI", withLine("NarHash", `NarHash: sha256-${sri}\n`)],
    ["the same reference twice", withLine("References", `References: ${SELF} ${LIB} ${SELF}\n`)],
    ["more spaces between references", withLine("References", `References: ${SELF}  ${LIB} \n`)],
    ["empty References before the real ones", `References: \n${TEXT}`],
    ["the same Sig twice", `${TEXT}Sig: ${SIG}\n`],
    ["an empty CA before the real one", `CA: \n${TEXT}`],
    ["a scalar twice: the last wins", `NarSize: 1\nCompression: br\n${TEXT}`],
    ["an unknown deriver after a known one", `${TEXT}Deriver: unknown-deriver\n`],
    ["the fields in another order", `${TEXT.trimEnd().split("\n").reverse().join("\n")}\n`],
  ])("%s", (_, text) => {
    expect(text).not.toBe(TEXT);
    expect(formatNarInfo(parseNarInfo(text, STORE))).toBe(TEXT);
  });

  test.each([
    ["Deriver: unknown-deriver", withLine("Deriver", "Deriver: unknown-deriver\n"), withLine("Deriver", "")],
    [
      "an empty Compression",
      withLine("Compression", "Compression: \n"),
      withLine("Compression", "Compression: bzip2\n"),
    ],
    ["no Compression", withLine("Compression", ""), withLine("Compression", "Compression: bzip2\n")],
    ["no References", withLine("References", ""), withLine("References", "References: \n")],
    ["a FileSize of 0, which is unknown", withLine("FileSize", "FileSize: 0\n"), withLine("FileSize", "")],
  ])("%s", (_, text, canonical) => {
    expect(formatNarInfo(parseNarInfo(text, STORE))).toBe(canonical);
  });

  test.each(COMPRESSIONS)("Compression: %s", (compression) => {
    const info = parseNarInfo(withLine("Compression", `Compression: ${compression}\n`), STORE);
    expect(info.compression).toBe(compression);
  });

  test("signatures keep their order", () => {
    const second = SIG.replace("test-cache-1", "a-cache-1");
    expect(parseNarInfo(`${TEXT}Sig: ${second}\nSig: ${SIG}\n`, STORE).signatures).toEqual([SIG, second]);
  });

  test("unknown fields are kept, last, in their order", () => {
    const extra =
      "System: x86_64-linux\nX-Note: a: b  c é\nEmpty: \nSystem: again\nsig: lower case is another key\n";
    expect(formatNarInfo(parseNarInfo(extra + TEXT, STORE))).toBe(TEXT + extra);
  });
});

describe("refused, naming the field", () => {
  test.each([
    ["nothing", "", "newline"],
    ["one newline", "\n", "line 1"],
    ["CRLF", TEXT.replaceAll("\n", "\r\n"), "CRLF"],
    ["no last newline", TEXT.trimEnd(), "newline"],
    ["an empty line", TEXT.replace("\n", "\n\n"), "line 2"],
    ["an empty line at the end", `${TEXT}\n`, "line 12"],
    ["References without the space", withLine("References", "References:\n"), "References:"],
    ["a tab for the space", withLine("NarSize", "NarSize:\t576\n"), "line 7"],
    ["a space before the key", ` ${TEXT}`, "line 1"],
    ["a key that is no word", `${TEXT}a b: c\n`, "line 12"],
    ["a NUL", withLine("CA", "CA: text:\0\n"), "CA"],
    ["a control character in an unknown field", `${TEXT}X: \u001b[31m\n`, "X"],
    ...["StorePath", "URL", "NarHash", "NarSize"].map((key) => [
      `no ${key}`,
      withLine(key, ""),
      `${key}: missing`,
    ]),
    ["a StorePath of another store", TEXT.replace("/nix/store/", "/gnu/store/"), "StorePath"],
    ["a StorePath that is a base name", TEXT.replace("/nix/store/", ""), "StorePath"],
    ["an empty URL", withLine("URL", "URL: \n"), "URL"],
    ["a URL with a space", withLine("URL", "URL: nar/a b.nar\n"), "URL"],
    ["an unknown Compression", withLine("Compression", "Compression: XZ\n"), "Compression"],
    ["a Compression with a space before", withLine("Compression", "Compression:  xz\n"), "Compression"],
    ["a FileHash without algorithm", TEXT.replace("FileHash: sha256:", "FileHash: "), "FileHash"],
    ["a negative FileSize", withLine("FileSize", "FileSize: -1\n"), "FileSize"],
    ["a NarHash that is not sha256", withLine("NarHash", `NarHash: sha1:${"0".repeat(40)}\n`), "NarHash"],
    [
      "a NarHash too short",
      withLine("NarHash", `${NAR_HASH.slice(0, -1)}\n`.replace(/^/, "NarHash: ")),
      "NarHash",
    ],
    ...["0", "-1", "1.5", "1e3", "0x10", "9007199254740992", "", " 5", "NaN"].map((size) => [
      `NarSize ${JSON.stringify(size)}`,
      withLine("NarSize", `NarSize: ${size}\n`),
      "NarSize",
    ]),
    ["a full path as reference", withLine("References", `References: ${STORE}/${LIB}\n`), "References"],
    ["References twice", `${TEXT}References: ${LIB}\n`, "References"],
    ["empty References after the real ones", `${TEXT}References: \n`, "References"],
    ["an empty Deriver", withLine("Deriver", "Deriver: \n"), "Deriver"],
    ["a Deriver with its directory", TEXT.replace("Deriver: ", `Deriver: ${STORE}/`), "Deriver"],
    // Nix reads each of several, and refuses (or dies of) a bad one that it would not use: seen with 2.8 to 2.34.
    ...["StorePath", "URL", "FileHash", "FileSize", "NarHash", "NarSize", "Deriver"].map((key) => [
      `an empty ${key} before the real one`,
      `${key}: \n${TEXT}`,
      key,
    ]),
    ...["x", "fixed", "fixed:r:sha256:", "fixed:r:blake3:0", "text:r:x"].map((ca) => [
      `the CA ${ca}, which Nix cannot read`,
      withLine("CA", `CA: ${ca}\n`),
      "CA",
    ]),
    ["CA twice", `${TEXT}CA: text:sha256:0\n`, "CA"],
    ["an empty Sig", withLine("Sig", "Sig: \n"), "Sig"],
    ["a Sig without name", withLine("Sig", `Sig: ${SIG.slice(SIG.indexOf(":"))}\n`), "Sig"],
    ["a Sig without colon", withLine("Sig", `Sig: ${SIG.replace(":", "")}\n`), "Sig"],
    ["a Sig of 63 bytes", withLine("Sig", `Sig: a:${"A".repeat(84)}\n`), "Sig"],
    ["a Sig in base64url", withLine("Sig", `Sig: a:${"_".repeat(85)}w==\n`), "Sig"],
    ["one bad Sig after a good one", `${TEXT}Sig: x\n`, "Sig"],
  ])("%s", (_, text = "", message) => {
    const parse = (): unknown => parseNarInfo(text, STORE);
    expect(parse).toThrow(FormatError);
    expect(parse).toThrow(message);
  });
});

describe("any text", () => {
  /** Parses, and accepts no failure but FormatError with a short message of one line. */
  function tryParse(text: string): string | undefined {
    try {
      return formatNarInfo(parseNarInfo(text, STORE));
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      expect(String(error)).not.toMatch(/[\r\n]/);
      expect(new TextEncoder().encode(String(error)).length).toBeLessThan(1000);
      return undefined;
    }
  }

  test("mutated: refused, or its written form is stable", () => {
    const mutation = fc.record({
      at: fc.nat(TEXT.length),
      cut: fc.nat(60),
      insert: fc.oneof(
        fc.constantFrom(
          "",
          "\n",
          "\r",
          "\0",
          ":",
          ": ",
          " ",
          "\u2028",
          "References: ",
          "Sig: ",
          "CA: x\n",
          "9",
        ),
        fc.string({ unit: "binary", maxLength: 8 }),
      ),
    });
    const mutated = fc.array(mutation, { minLength: 1, maxLength: 4 }).map((mutations) => {
      let text = TEXT;
      for (const { at, cut, insert } of mutations) text = text.slice(0, at) + insert + text.slice(at + cut);
      return text;
    });
    fc.assert(
      fc.property(mutated, (text) => {
        const written = tryParse(text);
        if (written !== undefined) expect(tryParse(written)).toBe(written);
      }),
      { numRuns: 2000 },
    );
  });

  test("arbitrary: refused", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (text) => void tryParse(text)));
  });
});
