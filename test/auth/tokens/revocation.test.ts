/** When revocations are asked for, and what counts while that is under way or fails. */
import { beforeEach, describe, expect, test } from "vitest";
import type { SubjectRevocation } from "../../../src/auth/subject.ts";
import {
  type AskRevoked,
  createRevocations,
  MAX_AGE_MS,
  type Revocations,
} from "../../../src/auth/tokens/revocation.ts";

const START = 1_800_000_000_000;
const MAIN = { key: "repo:acme/app", issuer: "https://a.example", issuedAt: START };

let clock: number;
let revocations: Revocations;
/** What each call of the catalog got: the whole list, or nothing because that was known. */
let calls: ("list" | "known")[];
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

const ask: AskRevoked = async ({ tokenId = "", subject }, known) => {
  const list = {
    version: JSON.stringify([[...revoked], subjects]),
    tokens: isWhole ? [...revoked] : [],
    isWhole,
    subjects: [...subjects],
  };
  calls.push(list.version === known ? "known" : "list");
  const isRevoked = revoked.has(tokenId) || subjects.some(({ subject: key }) => key === subject?.key);
  return { isRevoked, ...(list.version !== known && { list }) };
};

function read(tokenId = "a"): Promise<boolean> {
  return revocations.isRevoked({ tokenId }, { fresh: false }, ask);
}

function write(tokenId = "a"): Promise<boolean> {
  return revocations.isRevoked({ tokenId }, { fresh: true }, ask);
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

test("a write asks always, and at once tells the reads; the list is sent only where it has changed", async () => {
  await read();
  revoked.add("a");
  expect([await write("b"), await write("b"), await read()]).toEqual([false, false, true]);
  expect(calls).toEqual(["list", "list", "known"]);
  clock += MAX_AGE_MS - 1;
  await write("b");
  clock += MAX_AGE_MS - 1;
  expect([await read(), calls.length]).toEqual([true, 4]);
});

test("without an answer no token is accepted when the list is old", async () => {
  const down = () => Promise.reject(new Error("down"));
  const asked = (fresh: boolean) => revocations.isRevoked({ tokenId: "a" }, { fresh }, down);
  await expect(asked(false)).rejects.toThrow("down");
  await read();
  expect(await asked(false)).toBe(false);
  await expect(asked(true)).rejects.toThrow("down");
  clock += MAX_AGE_MS;
  await expect(asked(false)).rejects.toThrow("down");
});

test.each(["with a list", "without"])(
  "an answer (%s) that was long under way does not take the place of a newer one",
  async (form) => {
    if (form === "without") await read();
    clock += MAX_AGE_MS;
    let finish: () => void = () => {};
    const slow = revocations.isRevoked({ tokenId: "a" }, { fresh: true }, async (credential, known) => {
      const answer = await ask(credential, known);
      return new Promise((done) => {
        finish = () => done(answer);
      });
    });
    // Until it waits.
    await Promise.resolve();
    clock += 1000;
    revoked.add("a");
    expect(await write()).toBe(true);
    finish();
    expect(await slow).toBe(false);
    const count = calls.length;
    expect([await read(), calls.length]).toEqual([true, count]);
  },
);

test("the age counts from the question and not from the answer", async () => {
  await revocations.isRevoked({ tokenId: "a" }, { fresh: false }, (...question) => {
    clock += MAX_AGE_MS - 1;
    return ask(...question);
  });
  clock += 1;
  await read();
  expect(calls).toEqual(["list", "known"]);
});

test("with more revoked tokens than a list holds, each is asked for", async () => {
  isWhole = false;
  revoked.add("a");
  expect([await read(), await read(), await read("b"), calls]).toEqual([
    true,
    true,
    false,
    ["list", "known", "known"],
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
    // The list, which another token has brought.
    await read();
    expect(await revocations.isRevoked(credential, { fresh: false }, ask)).toBe(expected);
    expect(calls).toEqual(["list"]);
  });
});
