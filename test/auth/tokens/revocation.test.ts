/** When revocations are asked for, and what counts while that is under way or fails. */
import { beforeEach, describe, expect, test } from "vitest";
import type { SubjectRevocation } from "../../../src/auth/subject.ts";
import {
  createRevocations,
  MAX_AGE_MS,
  type RevocationSource,
  type Revocations,
} from "../../../src/auth/tokens/revocation.ts";

const START = 1_800_000_000_000;
const MAIN = { key: "repo:acme/app", issuer: "https://a.example", issuedAt: START };

let clock: number;
let revocations: Revocations;
/** Calls of the catalog, in order. */
let calls: ("list" | "ask")[];
let revoked: Set<string>;
let subjects: SubjectRevocation[];
let isWhole: boolean;

beforeEach(() => {
  clock = START;
  revocations = createRevocations(() => clock);
  calls = [];
  revoked = new Set();
  subjects = [];
  isWhole = true;
});

const source: RevocationSource = {
  list: async () => {
    calls.push("list");
    return { tokens: isWhole ? [...revoked] : [], isWhole, subjects: [...subjects] };
  },
  isRevoked: async ({ tokenId = "" }) => {
    calls.push("ask");
    return revoked.has(tokenId);
  },
};

function read(tokenId = "a"): Promise<boolean> {
  return revocations.isRevoked({ tokenId }, { fresh: false }, source);
}

function write(tokenId = "a"): Promise<boolean> {
  return revocations.isRevoked({ tokenId }, { fresh: true }, source);
}

test("a read asks once in a while; a revoked token is refused within a minute", async () => {
  expect(await read()).toBe(false);
  revoked.add("a");
  clock += MAX_AGE_MS - 1;
  expect([await read(), calls]).toEqual([false, ["list"]]);
  clock += 1;
  expect([await read(), await read("b"), calls]).toEqual([true, false, ["list", "list"]]);
  expect(MAX_AGE_MS).toBeLessThan(60_000);
});

test("a write asks always, of its own token only, and at once tells the reads", async () => {
  await read();
  revoked.add("a");
  expect([await write(), await write("b"), await read()]).toEqual([true, false, true]);
  expect(calls).toEqual(["list", "ask", "ask"]);
});

test("without an answer no token is accepted when the list is old", async () => {
  const down = () => Promise.reject(new Error("down"));
  const failing = { list: down, isRevoked: down };
  const ask = (fresh: boolean) => revocations.isRevoked({ tokenId: "a" }, { fresh }, failing);
  await expect(ask(false)).rejects.toThrow("down");
  await read();
  expect(await ask(false)).toBe(false);
  await expect(ask(true)).rejects.toThrow("down");
  clock += MAX_AGE_MS;
  await expect(ask(false)).rejects.toThrow("down");
});

test("an answer that was long under way does not take the place of a newer one", async () => {
  let finish = () => {};
  const list = () =>
    new Promise<Awaited<ReturnType<RevocationSource["list"]>>>((done) => {
      finish = () => done({ tokens: [], isWhole: true, subjects: [] });
    });
  const slow = revocations.isRevoked({ tokenId: "a" }, { fresh: false }, { ...source, list });
  clock += 1000;
  revoked.add("a");
  expect(await read()).toBe(true);
  finish();
  await slow;
  expect([await read(), calls]).toEqual([true, ["list"]]);
});

test("the age counts from the question and not from the answer", async () => {
  const list = async () => {
    clock += MAX_AGE_MS - 1;
    return { tokens: [], isWhole: true, subjects: [] };
  };
  await revocations.isRevoked({ tokenId: "a" }, { fresh: false }, { ...source, list });
  clock += 1;
  await read();
  expect(calls).toEqual(["list"]);
});

test("more revoked tokens than a list holds are asked for one by one, each that is revoked once", async () => {
  isWhole = false;
  revoked.add("a");
  expect([await read(), await read(), await read("b"), calls]).toEqual([
    true,
    true,
    false,
    ["list", "ask", "ask"],
  ]);
});

describe("a revoked subject", () => {
  const revocation = { subject: MAIN.key, issuer: MAIN.issuer, revokedAt: START };
  test.each<[string, object, object, boolean]>([
    ["its token", {}, {}, true],
    ["issued at the same moment", { issuedAt: START }, {}, true],
    ["issued later", { issuedAt: START + 1 }, {}, false],
    ["another subject", { key: "repo:acme/app2" }, {}, false],
    ["the same of another issuer", { issuer: "https://b.example" }, {}, false],
    ["every issuer", { issuer: "https://b.example" }, { issuer: "" }, true],
    ["of an older version, whose tokens do not name it", { issuer: undefined }, {}, true],
  ])("%s", async (_, subject, change, expected) => {
    subjects = [{ ...revocation, ...change }];
    const { issuer, ...rest } = { ...MAIN, ...subject };
    const credential = { subject: { ...rest, ...(issuer !== undefined && { issuer }) } };
    expect(await revocations.isRevoked(credential, { fresh: false }, source)).toBe(expected);
  });
});
