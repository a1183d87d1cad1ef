// What follows from the facts of a NAR for a path that claims to have it, branch by branch.
import { describe, expect, it } from "vitest";
import type { Content, Facts } from "../../../src/catalog/content.ts";
import {
  addressClaim,
  addressKey,
  type Claim,
  claimOf,
  type Verdict,
  verdictOf,
} from "../../../src/catalog/facts/verdict.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { HASH } from "../../support/objects.ts";
import { compressed, testPath } from "../../support/store-paths.ts";

const NAR_HASH = `sha256:${"1".repeat(52)}`;
const OTHER_HASH = `sha256:${"2".repeat(52)}`;
const CA = `fixed:${OTHER_HASH}`;
const CLAIM: Claim = {
  ...{ storePathHash: HASH, nar: "nar/x.nar.xz", compression: "xz", narHash: NAR_HASH, narSize: 100 },
  ...{ ca: undefined, refersToItself: false },
};
const NAR = { kind: "nar", hash: NAR_HASH, size: 100, addresses: {} } as const satisfies Content;
const FALSE = { kind: "false", reason: "it is cut", limit: 100 } as const satisfies Content;
const UNVERIFIABLE = { kind: "unverifiable", reason: "nothing unpacks it" } as const satisfies Content;

const isFalse = (reason: string): Verdict => ({ kind: "false", reason });
const addressed = (key: string, holds: boolean | null): Facts => ({
  xz: { ...NAR, addresses: { [key]: holds } },
});

const CASES: [string, Facts | undefined, Partial<Claim>, Verdict][] = [
  ["nothing is known", undefined, {}, { kind: "waiting" }],
  ["no compression has been tried", {}, {}, { kind: "waiting" }],
  ["it is no NAR in another compression", { zstd: FALSE }, {}, { kind: "waiting" }],
  ["another compression cannot be told", { zstd: UNVERIFIABLE }, {}, { kind: "waiting" }],
  [
    "it is a NAR in another compression",
    { br: FALSE, zstd: NAR },
    {},
    isFalse("is compressed with zstd, not with xz"),
  ],
  ["it cannot be told", { xz: UNVERIFIABLE }, {}, UNVERIFIABLE],
  ["it is no NAR", { xz: FALSE }, {}, isFalse("is false: it is cut")],
  ["no NAR of fewer bytes than are claimed", { xz: FALSE }, { narSize: 101 }, { kind: "waiting" }],
  ["it is the NAR", { xz: NAR }, {}, { kind: "verified" }],
  [
    "the hash differs",
    { xz: NAR },
    { narHash: OTHER_HASH },
    isFalse(`contains a NAR with ${NAR_HASH} and 100 bytes, not with ${OTHER_HASH} and 100 bytes`),
  ],
  [
    "the size differs",
    { xz: NAR },
    { narSize: 99 },
    isFalse(`contains a NAR with ${NAR_HASH} and 100 bytes, not with ${NAR_HASH} and 99 bytes`),
  ],
  ["the address is NarHash", { xz: NAR }, { ca: `fixed:r:${NAR_HASH}` }, { kind: "verified" }],
  [
    "the address is NarHash, but the path refers to itself",
    { xz: NAR },
    { ca: `fixed:r:${NAR_HASH}`, refersToItself: true },
    { kind: "waiting" },
  ],
  ["the address was not checked", { xz: NAR }, { ca: CA }, { kind: "waiting" }],
  ["the address holds", addressed(CA, true), { ca: CA }, { kind: "verified" }],
  [
    "the address does not hold",
    addressed(CA, false),
    { ca: CA },
    isFalse(`does not have the content address ${CA}`),
  ],
  [
    "the address cannot be computed",
    addressed(CA, null),
    { ca: CA },
    { kind: "unverifiable", reason: `the address ${CA} cannot be computed here` },
  ],
  [
    "the address holds for a path without a self-reference",
    addressed(CA, true),
    { ca: CA, refersToItself: true },
    { kind: "waiting" },
  ],
  [
    "the address holds with this self-reference",
    addressed(`${HASH} ${CA}`, true),
    { ca: CA, refersToItself: true },
    { kind: "verified" },
  ],
  [
    "the address holds, but the hash differs",
    addressed(CA, true),
    { ca: CA, narHash: OTHER_HASH },
    isFalse(`contains a NAR with ${NAR_HASH} and 100 bytes, not with ${OTHER_HASH} and 100 bytes`),
  ],
];

describe("verdictOf", () => {
  it.each(CASES)("%s", (_, facts, claim, expected) => {
    expect(verdictOf(facts, { ...CLAIM, ...claim })).toEqual(expected);
  });
});

describe("addressKey and addressClaim", () => {
  it.each<[string, Partial<Claim>, string | undefined, boolean]>([
    ["no address", {}, undefined, false],
    ["no address, but a self-reference", { refersToItself: true }, undefined, false],
    ["an address", { ca: CA }, CA, true],
    ["an address and a self-reference", { ca: CA, refersToItself: true }, `${HASH} ${CA}`, true],
    ["NarHash", { ca: `fixed:r:${NAR_HASH}` }, `fixed:r:${NAR_HASH}`, false],
    [
      "NarHash and a self-reference",
      { ca: `fixed:r:${NAR_HASH}`, refersToItself: true },
      `${HASH} fixed:r:${NAR_HASH}`,
      true,
    ],
    ["the hash of a file that equals NarHash", { ca: `fixed:${NAR_HASH}` }, `fixed:${NAR_HASH}`, true],
  ])("%s", (_, changes, key, isChecked) => {
    const claim = { ...CLAIM, ...changes };
    expect(addressKey(claim)).toBe(key);
    const self = claim.refersToItself ? { self: HASH } : {};
    expect(addressClaim(claim)).toEqual(isChecked ? { ca: claim.ca, ...self } : undefined);
  });
});

describe("claimOf", () => {
  it("says what a narinfo claims", async () => {
    const { info, narKey } = await compressed(await testPath());
    const claim = {
      ...{ storePathHash: info.storePath.hash, nar: narKey, compression: "zstd" },
      ...{ narHash: formatHash(info.narHash), narSize: info.narSize, ca: undefined },
    };
    expect(claimOf(info)).toEqual({ ...claim, refersToItself: true });
    expect(claimOf({ ...info, references: [] })).toEqual({ ...claim, refersToItself: false });
  });
});
