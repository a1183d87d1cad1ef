// Narinfos that real Nix wrote, each changed in one way (by hand) or in a few (by chance, from a seed): the input of
// the differential test for both parsers. Every mutant has a store path of its own, so that one Nix can look at all.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { encodeNix32 } from "../../src/nix/nix32.ts";

const FIXTURES = resolve(import.meta.dirname, "../fixtures/nix-2.34.8");
/** Compressed with a reference to itself and to another path, and an uncompressed one with two signatures. */
const APP = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
const ORIGINALS = ["xz", "twosigs"].map((folder) =>
  readFileSync(join(FIXTURES, folder, `${APP}.narinfo`), "utf8"),
);
const NAME = "demo-app-1.0";
const OTHER = "p8zxr21qmbn9fwd0jvcsmk73wfrl8axy-libdemo-1.0";
const HASH_BYTES = 20;

export interface Mutant {
  /** The change. */
  readonly name: string;
  /** The hash part under which it is requested. */
  readonly hash: string;
  readonly baseName: string;
  readonly text: string;
}

type Change = readonly [name: string, change: (text: string, hash: string) => string];

/** The mutants of every change by hand, and `count` by chance. The same seed gives the same ones. */
export function mutants(seed: number, count: number): Mutant[] {
  const changes: Change[] = [...BY_HAND, ...byChance(seed, count)];
  return ORIGINALS.flatMap((original, which) =>
    changes.map(([name, change]) => {
      const hash = encodeNix32(
        createHash("sha256").update(`${which} ${name}`).digest().subarray(0, HASH_BYTES),
      );
      const text = change(original.replaceAll(APP, hash), hash);
      return { name, hash, baseName: `${hash}-${nameIn(text, hash) ?? NAME}`, text };
    }),
  );
}

/** The hash part by which a client would request this narinfo; `undefined` if it has no valid store path. */
function nameIn(text: string, hash: string): string | undefined {
  const name = new RegExp(`^StorePath: /nix/store/${hash}-(.*)$`, "m").exec(text)?.[1];
  return name !== undefined && /^[0-9a-zA-Z+._?=-]{1,211}$/.test(name) ? name : undefined;
}

const KEYS = [
  ...["StorePath", "URL", "Compression", "FileHash", "FileSize", "NarHash", "NarSize"],
  ...["References", "Deriver", "Sig", "CA"],
];

/** The first line of a key through `change`, which gets it whole and with its end; a missing one is added last. */
function withLine(key: string, change: (line: string) => string): Change[1] {
  return (text) => {
    const line = new RegExp(`^${key}: .*\n`, "m").exec(text)?.[0];
    return line === undefined ? text + change(`${key}: \n`) : text.replace(line, () => change(line));
  };
}

const valued = (key: string, value: string): Change => [
  `${key}: ${JSON.stringify(value)}`,
  withLine(key, () => `${key}: ${value}\n`),
];

/** The possible mistakes in a line of any key. */
const WITH_ANY_LINE: readonly (readonly [name: string, change: (line: string) => string])[] = [
  ["removed", () => ""],
  ["twice", (line) => line + line],
  ["empty", (line) => line.replace(/: .*/, ": ")],
  ["empty, without the space", (line) => line.replace(/: .*/, ":")],
  ["empty before it", (line) => line.replace(/: .*/, ": ") + line],
  ["empty after it", (line) => line + line.replace(/: .*/, ": ")],
  ["without colon", (line) => line.replace(":", "")],
  ["with a space before the colon", (line) => line.replace(":", " :")],
  ["with a tab for the space", (line) => line.replace(": ", ":\t")],
  ["with two spaces", (line) => line.replace(": ", ":  ")],
  ["with a space before the key", (line) => ` ${line}`],
  ["with a space at the end", (line) => line.replace("\n", " \n")],
  ["ending in CRLF", (line) => line.replace("\n", "\r\n")],
  ["ending in CR", (line) => line.replace("\n", "\r")],
  ["with a NUL", (line) => line.replace("\n", "\0\n")],
  ["with an escape", (line) => line.replace("\n", "\u001b[2J\n")],
  ["with DEL", (line) => line.replace("\n", "\u007f\n")],
  ["with a bidi override", (line) => line.replace("\n", "\u202e\n")],
  ["with a letter more", (line) => line.replace("\n", "x\n")],
  ["with a letter less", (line) => line.replace(/.\n/, "\n")],
  ["with a slash more", (line) => line.replace("\n", "/\n")],
  ["lower-case key", (line) => line.replace(/^[^:]*/, (key) => key.toLowerCase())],
  ["upper-case value", (line) => line.replace(/: .*/, (value) => value.toUpperCase())],
  ["broken in two lines", (line) => line.replace(/: (.*)/, ": \n $1")],
  ["after an empty line", (line) => `\n${line}`],
];

const HEX = "eb23363bf41eeecd6b4b671f2e90709ff5a0462e93174fbef3bc88f1684a1d86";
const SRI = Buffer.from(HEX, "hex").toString("base64");
const NIX32 = "11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb";
const HASHES = [
  ...[`sha256:${HEX}`, `sha256:${HEX.toUpperCase()}`, `sha256:${SRI}`, `sha256-${SRI}`, NIX32, HEX, SRI],
  ...[`SHA256:${NIX32}`, `sha256-${NIX32}`, `sha256-${HEX}`, `sha1:${NIX32}`, `blake3:${NIX32}`, "sha256:"],
  ...[`sha256:2${NIX32.slice(1)}`, `sha256:${NIX32.toUpperCase()}`, `sha256:${"e".repeat(52)}`],
  ...[`sha1:${"0".repeat(32)}`, `md5:${"0".repeat(26)}`, `sha512:${"0".repeat(103)}`, `sha256:${HEX}00`],
  ...[
    `sha256-${SRI.replace(/=$/, "")}`,
    `sha256-${SRI.slice(0, -2)}Z=`,
    `sha256-${SRI}=`,
    `sha256: ${NIX32}`,
  ],
];
const SIZES = [
  ...["0", "-0", "-1", "+1", "007", "576.0", "1e3", "0x10", "1 2", " 576", "576 ", "٣", "", "NaN", "1_000"],
  ...["2147483648", "4294967296", "9007199254740991", "9007199254740993", "9223372036854775807"],
  ...["9223372036854775808", "18446744073709551615", "18446744073709551616", "9".repeat(40)],
];
const BASE_NAMES = [
  ...[OTHER, `/nix/store/${OTHER}`, "x", OTHER.slice(1), OTHER.slice(0, 32), OTHER.slice(0, 33)],
  ...[OTHER.replace("p", "e"), `${OTHER}.drv`, `${OTHER.slice(0, 33)}.hidden`, `${OTHER.slice(0, 33)}..`],
  ...[`${OTHER.slice(0, 33)}${"n".repeat(211)}`, `${OTHER.slice(0, 33)}${"n".repeat(212)}`, `${OTHER}~`],
  ...[
    `${OTHER}!out`,
    `${OTHER}^out`,
    `${OTHER}/bin`,
    `../${OTHER}`,
    `${OTHER}\\`,
    `${OTHER}é`,
    `${OTHER}%20`,
  ],
  ...[`${OTHER.slice(0, 33)}.-a`, `${OTHER.slice(0, 33)}.`, OTHER.toUpperCase(), "unknown-deriver"],
];
const SIG = Buffer.alloc(64, 7).toString("base64");
const SIGNATURES = [
  ...[`a:${SIG}`, `:${SIG}`, SIG, "a:", "a", "a:b", `a:${SIG.slice(4)}`, `a:${SIG}AAAA`, `a b:${SIG}`],
  ...[`a:b:${SIG}`, `a: ${SIG}`, `a:${SIG} `, `a:${SIG.replaceAll("B", "-")}`, `a:${SIG.replace(/=+$/, "")}`],
  ...[`a:${SIG.slice(0, -3)}x==`, `a:${SIG.slice(0, 40)} ${SIG.slice(40)}`, `é:${SIG}`, `a:!${SIG}`],
];
const URLS = [
  ...[
    "nar/a.nar.xz",
    "./nar/a.nar.xz",
    "nar/../nar/a.nar.xz",
    "../nar/a.nar.xz",
    "/nar/a.nar.xz",
    "a.nar.xz",
  ],
  ...[
    "//evil.example/nar/a.nar.xz",
    "https://evil.example/nar/a.nar.xz",
    "file:///etc/passwd",
    "nar/",
    "nar",
  ],
  ...["nar/a%2fb.nar.xz", "nar/%2e%2e/x", "nar/a b", "nar/a\\b", "nar/a%", "nar/a?x=1", "nar/a#x", "nar//a"],
  ...[
    "nar/a.nar.bz2",
    "nar/a.nar",
    "log/x",
    "nar/é",
    "nar/%c3%a9",
    "nar/%00",
    "nar/./a",
    "NAR/a",
    "nix-cache-info",
  ],
];
const COMPRESSIONS = [
  ...[
    "none",
    "xz",
    "bzip2",
    "br",
    "zstd",
    "gzip",
    "lz4",
    "lzip",
    "lzma",
    "lzop",
    "lrzip",
    "grzip",
    "compress",
  ],
  ...["None", "zst", "bz2", "deflate", "../xz", "xz,br"],
];
const ADDRESSES = [
  ...[
    `fixed:r:sha256:${NIX32}`,
    `fixed:sha256:${NIX32}`,
    `text:sha256:${NIX32}`,
    `text:sha1:${"0".repeat(32)}`,
  ],
  ...[`fixed:git:sha256:${NIX32}`, `fixed:r:sha256-${SRI}`, `source:sha256:${NIX32}`, "fixed", "fixed:", "x"],
  ...[
    "fixed:r:",
    "fixed:r:sha256:",
    "fixed:x:sha256:0",
    "text:",
    "text",
    `fixed:r:sha256:${HEX}`,
    "text:r:x",
  ],
  ...[`fixed:r:sha256:${NIX32} x`, `fixed:r: sha256:${NIX32}`, `fixed:r:blake3:${NIX32}`],
];
const UNKNOWN = [
  ...["System: x86_64-linux", "X-Note: a: b", "Empty: ", "2: x", "a b: c", "é: x", ": x", "-: x", "_: x"],
  ...["# comment", "X:y", "sig: x", "Sig : x", "DeriverX: y"],
];

const BY_HAND: readonly Change[] = [
  ["nothing", (text) => text],
  ...KEYS.flatMap((key) =>
    WITH_ANY_LINE.map(([what, change]): Change => [`${key} ${what}`, withLine(key, change)]),
  ),
  ...["FileHash", "NarHash"].flatMap((key) => HASHES.map((hash) => valued(key, hash))),
  ...["FileSize", "NarSize"].flatMap((key) => SIZES.map((size) => valued(key, size))),
  ...["References", "Deriver"].flatMap((key) => BASE_NAMES.map((name) => valued(key, name))),
  ...BASE_NAMES.map((name) => valued("References", `${OTHER} ${name}`)),
  ...BASE_NAMES.map((name) => valued("StorePath", `/nix/store/${name}`)),
  ...[OTHER, `/gnu/store/${OTHER}`, `/nix/store//${OTHER}`, "/", "/nix/store", "/nix/store/"].map((path) =>
    valued("StorePath", path),
  ),
  ...[".", "..", "./x", "a b", "n".repeat(211), "n".repeat(212), ".x", ".-x"].map(
    (name): Change => [
      `StorePath named ${name}`,
      (text, hash) => text.replaceAll(`${hash}-${NAME}`, `${hash}-${name}`),
    ],
  ),
  ["another name among the references", (text, hash) => text.replace(` ${OTHER}`, ` ${hash}-x`)],
  ...SIGNATURES.map((signature) => valued("Sig", signature)),
  ...SIGNATURES.map(
    (signature): Change => [`more Sig: ${signature}`, (text) => `${text}Sig: ${signature}\n`],
  ),
  ...URLS.map((url) => valued("URL", url)),
  ...COMPRESSIONS.map((compression) => valued("Compression", compression)),
  ...ADDRESSES.map((address) => valued("CA", address)),
  ["CA twice, both with a value", (text) => `${text}CA: text:sha256:${NIX32}\nCA: text:sha256:${NIX32}\n`],
  ...UNKNOWN.map((line): Change => [`the line ${line}`, (text) => `${line}\n${text}${line}\n`]),
  ["no text", () => ""],
  ["a newline", () => "\n"],
  ["spaces", () => "  \n"],
  ["HTML", () => "<html>\n<body>404 Not Found</body>\n</html>\n"],
  ["a byte order mark", (text) => `\ufeff${text}`],
  ["no last newline", (text) => text.slice(0, -1)],
  ["cut in the middle", (text) => text.slice(0, text.length / 2)],
  ["cut after a line", (text) => text.split("\n").slice(0, 4).join("\n").concat("\n")],
  ["two last newlines", (text) => `${text}\n`],
  ["a NUL at the end", (text) => `${text}\0`],
  ["a letter at the end", (text) => `${text}x`],
  ["CRLF", (text) => text.replaceAll("\n", "\r\n")],
  ["CR", (text) => text.replaceAll("\n", "\r")],
  ["reversed", (text) => `${text.trimEnd().split("\n").reverse().join("\n")}\n`],
  ["twice", (text) => text + text],
  ["twice without references", (text) => (text + text).replaceAll(/^References: .*\n/gm, "")],
];

function byChance(seed: number, count: number): Change[] {
  const piece = fc.oneof(
    fc.constantFrom("", "\n", " ", ":", ": ", "\r", "\0", "-", "/", "0", "9", "x", "Z", "=", "é", "\u2028"),
    fc.constantFrom(...KEYS.map((key) => `\n${key}: `), "\nX: "),
    fc.string({ maxLength: 3 }),
  );
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(12), piece });
  const edits = fc.array(edit, { minLength: 1, maxLength: 3 });
  return fc.sample(edits, { seed, numRuns: count }).map((chosen, index) => [
    `by chance ${seed}/${index}`,
    (text) =>
      chosen.reduce((rest, { at, cut, piece }) => {
        const start = Math.floor(at * rest.length);
        return rest.slice(0, start) + piece + rest.slice(start + cut);
      }, text),
  ]);
}
