// Every form in which a Nix describes paths becomes the same facts.
import { expect, test } from "vitest";
import { topological } from "../../src/client/store/closure.ts";
import { type PathInfo, parsePathInfos } from "../../src/client/store/path-info.ts";
import { parseRegistrations } from "../../src/client/store/registration.ts";
import { formatHash } from "../../src/nix/hash.ts";

const BASE = "hrbblgbxbvz8al5a8l85i8giajyajiwj-f";
const PATH = `/nix/store/${BASE}`;
const DERIVER = "3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-f.drv";
const SRI = "sha256-EFUdrtf6Rn0LWIJufrmg8q99aT3jGfLvd1//zaJEufY=";
const NIX32 = "sha256:1xmr8jicvzszfzpz46g37mlpvbzjl2wpwvl2b05psipssyp1sm8h";
const CA = "fixed:sha256:1r3v22qkypccqifzbww5lrn6hf1chi23m6zzkyvb8bvg457nxslq";

const common = { narSize: 120, signatures: ["key:sig"] };
const full = { ...common, references: [PATH], deriver: `/nix/store/${DERIVER}` };
const base = { ...common, references: [BASE], deriver: DERIVER };

test.each<[string, unknown]>([
  ["2.3: a list, NarHash in base-32", [{ path: PATH, narHash: NIX32, ca: CA, ...full }]],
  ["2.8: a list, NarHash as SRI", [{ path: PATH, narHash: SRI, ca: CA, registrationTime: 1, ...full }]],
  ["2.19: a record by path", { [PATH]: { narHash: SRI, ca: CA, ultimate: false, ...full } }],
  ["2.34, format 1", { [PATH]: { narHash: SRI, ca: CA, storeDir: "/nix/store", version: 1, ...full } }],
  [
    "format 2: base names",
    { version: 2, storeDir: "/nix/store", info: { [BASE]: { narHash: SRI, ca: CA, ...base } } },
  ],
  [
    "format 3: hashes and signatures as objects",
    {
      version: 3,
      storeDir: "/nix/store",
      info: {
        [BASE]: {
          ...base,
          narHash: { algorithm: "sha256", format: "base64", hash: SRI.slice(7) },
          ca: { method: "flat", hash: { algorithm: "sha256", format: "nix32", hash: CA.slice(13) } },
          signatures: [{ keyName: "key", sig: "sig" }],
        },
      },
    },
  ],
])("%s", (_, json) => {
  const [info, ...others] = parsePathInfos(JSON.stringify(json));
  expect(others).toEqual([]);
  expect(info && { ...info, narHash: formatHash(info.narHash) }).toEqual({
    path: PATH,
    narHash: NIX32,
    narSize: 120,
    references: [PATH],
    deriver: `/nix/store/${DERIVER}`,
    signatures: ["key:sig"],
    ca: CA,
  });
});

test.each<[string, unknown, string]>([
  ["a path that is not valid, 2.8", [{ path: PATH, valid: false }], "is not in the store"],
  ["a path that is not valid, 2.34", { [PATH]: null }, "is not in the store"],
  ["no JSON of paths", "text", "does not know the form"],
  ["a path without a size", { [PATH]: { narHash: SRI } }, "does not know the form"],
])("refused: %s", (_, json, line) => {
  expect(() => parsePathInfos(JSON.stringify(json))).toThrow(line);
});

test("the registrations of nix-store --dump-db", () => {
  const hex = "10551daed7fa467d0b58826e7eb9a0f2af7d693de319f2ef775fffcda244b9f6";
  const text = `${PATH}\n${hex}\n120\n/nix/store/${DERIVER}\n1\n${PATH}\n${PATH}x\n${hex}\n120\n\n0\n`;
  expect(parseRegistrations(text)).toMatchObject([
    { path: PATH, narSize: 120, references: [PATH], deriver: `/nix/store/${DERIVER}` },
    { path: `${PATH}x`, references: [] },
  ]);
  expect(() => parseRegistrations("a\nb\nc\nd\ne\n")).toThrow("no registration");
});

test("references come before what refers to them, in closures deeper than a stack", () => {
  const count = 50_000;
  const info = (index: number): [string, PathInfo] => [
    String(index),
    {
      path: String(index),
      narHash: { algorithm: "sha256", bytes: new Uint8Array(32) },
      narSize: 1,
      references: index + 1 < count ? [String(index + 1), String(index)] : [],
      signatures: [],
    },
  ];
  const sorted = topological(new Map(Array.from({ length: count }, (_, index) => info(index))));
  expect(sorted.map(({ path }) => path)).toEqual(
    Array.from({ length: count }, (_, index) => String(count - 1 - index)),
  );
});
