/** Every parser of this folder gives a value or a printable FormatError for any input. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBase64 } from "../../src/nix/base64.ts";
import { formatCacheInfo, parseCacheInfo } from "../../src/nix/cache-info.ts";
import { parseContentAddress, storePathOfContentAddress } from "../../src/nix/content-address.ts";
import { FormatError, quote } from "../../src/nix/format-error.ts";
import { formatHash, parseHash, parseSha256 } from "../../src/nix/hash.ts";
import { generateSecretKey, parsePublicKey, parseSecretKey } from "../../src/nix/keys.ts";
import { compressionOfExtension, narKeyOfUrl } from "../../src/nix/nar-url.ts";
import { COMPRESSIONS, formatNarInfo, type NarInfo, parseNarInfo } from "../../src/nix/narinfo.ts";
import { decodeNix32, encodeNix32 } from "../../src/nix/nix32.ts";
import { parsePublishable } from "../../src/nix/publishable.ts";
import { parseSignature } from "../../src/nix/signature.ts";
import { checkBaseName, formatStorePath, parseStorePath } from "../../src/nix/store-path.ts";

const STORE = "/nix/store";
const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
const SEED = new Uint8Array(64).fill(7).toBase64();
const RUNS = { numRuns: 1000 };

type Parser = readonly [name: string, parse: (text: string) => unknown, examples: readonly string[]];

const { secret: SECRET, public: PUBLIC } = await generateSecretKey("a-1");

const PARSERS: readonly Parser[] = [
  ["base64", (text) => decodeBase64(text, 3), ["AAAA"]],
  ["nix32", (text) => decodeNix32(text, 5), ["00000000"]],
  ["a hash", parseHash, [`sha256:${"0".repeat(52)}`, "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA="]],
  ["a SHA-256", parseSha256, [`sha256:${"0".repeat(64)}`]],
  ["a base name", checkBaseName, [`${HASH}-hello-2.10`]],
  ["a store path", (text) => parseStorePath(text, STORE), [`${STORE}/${HASH}-hello-2.10`]],
  ["a signature", parseSignature, [`a-1:${SEED}`]],
  ["a public key", parsePublicKey, [PUBLIC]],
  ["a secret key", parseSecretKey, [SECRET]],
  ["the URL of a NAR", narKeyOfUrl, ["nar/a%2fb.nar.xz?x#y"]],
  ["the extension of a NAR", compressionOfExtension, ["nar/a.nar.xz"]],
  ["a content address", parseContentAddress, [`fixed:r:sha256:${"0".repeat(52)}`]],
  [
    "the path of a content address",
    (text) => storePathOfContentAddress(text, text, [text], STORE),
    [`text:sha256:${"0".repeat(52)}`],
  ],
  ["nix-cache-info", parseCacheInfo, ["StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 41\n"]],
  [
    "a narinfo to be published",
    (text) => parsePublishable(text, `${HASH}.narinfo`, STORE),
    [
      `StorePath: ${STORE}/${HASH}-a\nURL: nar/a.nar.xz\nCompression: xz\nNarHash: sha256:${"0".repeat(52)}\nNarSize: 1\nReferences: ${HASH}-a\n`,
    ],
  ],
  ["a quotation", quote, ["x"]],
];

/** Examples with pieces cut out and put in, and any text at all. */
function hostile(examples: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(
      "",
      ":",
      "-",
      "/",
      "=",
      "%",
      "\n",
      "\0",
      "\r",
      " ",
      "..",
      "\ud800",
      "\u202e",
      "é",
      "0",
      "sha256",
    ),
    fc.string({ unit: "binary", maxLength: 6 }),
  );
  const edit = fc.record({ at: fc.nat(400), cut: fc.nat(60), piece });
  const edited = fc
    .tuple(fc.constantFrom(...examples), fc.array(edit, { minLength: 1, maxLength: 3 }))
    .map(([text, edits]) =>
      edits.reduce((rest, { at, cut, piece }) => {
        const start = at % (rest.length + 1);
        return rest.slice(0, start) + piece + rest.slice(start + cut);
      }, text),
    );
  return fc.oneof(edited, fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 3000 }));
}

describe.each(PARSERS)("%s", (_, parse, examples) => {
  test.each(examples)("%j is one", async (example) => {
    expect(await parse(example)).toBeDefined();
  });

  test("anything else is a FormatError, short and on one line, or no value", async () => {
    await fc.assert(
      fc.asyncProperty(hostile(examples), async (text) => {
        try {
          await parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          expect(String(error)).not.toMatch(/[\r\n\0]/);
          expect(new TextEncoder().encode(String(error)).length).toBeLessThan(1000);
        }
      }),
      RUNS,
    );
  });
});

test("an error never shows what may be a secret key", async () => {
  const material = fc
    .uint8Array({ minLength: 32, maxLength: 70 })
    .map((bytes) => new Uint8Array(bytes).toBase64());
  const around = fc.constantFrom("", ":", "a:", "a-1:", " ", "a:b:", "\n", "sec ret:");
  await fc.assert(
    fc.asyncProperty(around, material, around, async (before, key, after) => {
      for (const parse of [parseSecretKey, parsePublicKey]) {
        const message = await parse(before + key + after).then(
          () => "",
          (error: unknown) => String(error),
        );
        expect(message).not.toContain(key.slice(0, 43));
      }
    }),
    RUNS,
  );
});

describe("what is written is read again as it was", () => {
  const bytes = (length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((array) => new Uint8Array(array));
  const sha256 = bytes(32).map((bytes) => ({ algorithm: "sha256" as const, bytes }));
  const name = fc.stringMatching(/^[0-9a-zA-Z+_?=-][0-9a-zA-Z+\-._?=]{0,210}$/);
  const baseName = fc.tuple(bytes(20), name).map(([hash, name]) => `${encodeNix32(hash)}-${name}`);
  const size = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const keyName = fc.stringMatching(/^[!-9;-~]{1,40}$/);
  const signature = fc.tuple(keyName, bytes(64)).map(([name, bytes]) => `${name}:${bytes.toBase64()}`);
  const value = fc.string({ maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text));
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

  const narInfo: fc.Arbitrary<NarInfo> = fc
    .record({
      baseName,
      url: fc.stringMatching(/^[!-~]{1,60}$/),
      compression: fc.constantFrom(...COMPRESSIONS),
      fileHash: optional(sha256),
      fileSize: optional(size),
      narHash: sha256,
      narSize: size,
      references: fc.uniqueArray(baseName, { maxLength: 5 }),
      deriver: optional(baseName),
      signatures: fc.uniqueArray(signature, { maxLength: 3 }),
      ca: optional(sha256.map((hash) => `fixed:r:${formatHash(hash)}`)),
      extra: fc.array(fc.tuple(fc.stringMatching(/^X[A-Za-z0-9_-]{0,20}$/), value), { maxLength: 3 }),
    })
    .map(({ baseName, ...fields }) => {
      const info: NarInfo = {
        ...JSON.parse("{}"),
        ...fields,
        storePath: parseStorePath(`${STORE}/${baseName}`, STORE),
      };
      for (const key of ["fileHash", "fileSize", "deriver", "ca"] as const) {
        if (info[key] === undefined) delete info[key];
      }
      return info;
    });

  test("a narinfo", () => {
    fc.assert(
      fc.property(narInfo, (info) => {
        const text = formatNarInfo(info);
        expect(parseNarInfo(text, STORE)).toEqual(info);
        expect(formatNarInfo(parseNarInfo(text, STORE))).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  test("the order of a narinfo's lines means nothing, but of lines of one key", () => {
    fc.assert(
      fc.property(narInfo, fc.nat(20), (info, by) => {
        const single = { ...info, signatures: info.signatures.slice(0, 1), extra: [] };
        const lines = formatNarInfo(single)
          .trimEnd()
          .split("\n")
          .map((line) => `${line}\n`);
        // Without references the line ends in a space, which trimEnd has taken where it was the last.
        const turned = [...lines.slice(by % lines.length), ...lines.slice(0, by % lines.length)]
          .join("")
          .replace(/^References:\n/m, "References: \n");
        expect(parseNarInfo(turned, STORE)).toEqual(single);
      }),
      { numRuns: 300 },
    );
  });

  test("a store path", () => {
    fc.assert(
      fc.property(baseName, fc.constantFrom(STORE, "/gnu/store", "/a/b.c"), (baseName, storeDir) => {
        expect(formatStorePath(parseStorePath(`${storeDir}/${baseName}`, storeDir))).toBe(
          `${storeDir}/${baseName}`,
        );
      }),
    );
  });

  test("a signature", () => {
    fc.assert(
      fc.property(keyName, bytes(64), (name, bytes) => {
        expect(parseSignature(`${name}:${bytes.toBase64()}`)).toEqual({ name, bytes });
      }),
    );
  });

  test("nix-cache-info", () => {
    const info = fc.record({
      storeDir: fc.stringMatching(/^(\/[0-9A-Za-z.]{1,10}){1,4}$/),
      wantMassQuery: fc.boolean(),
      priority: fc.integer(),
    });
    fc.assert(
      fc.property(info, (info) => {
        expect(parseCacheInfo(formatCacheInfo(info))).toEqual(info);
      }),
    );
  });

  test("base 64", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (array) => {
        const bytes = new Uint8Array(array);
        expect(decodeBase64(bytes.toBase64(), bytes.length)).toEqual(bytes);
      }),
    );
  });
});
