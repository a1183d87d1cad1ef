/** When the list of revoked tokens is asked for, and what counts while it is under way or cannot be had. */
import { beforeEach, expect, test } from "vitest";
import { createRevocations, MAX_AGE_MS, type Revocations } from "../../../src/auth/tokens/revocation.ts";

let clock: number;
let revocations: Revocations;
let loads: number;
let revoked: Set<string>;

beforeEach(() => {
  clock = 1_800_000_000_000;
  revocations = createRevocations(() => clock);
  loads = 0;
  revoked = new Set();
});

async function load(): Promise<ReadonlySet<string>> {
  loads += 1;
  return new Set(revoked);
}

function read(id = "a"): Promise<boolean> {
  return revocations.isRevoked(id, { fresh: false }, load);
}

function write(id = "a"): Promise<boolean> {
  return revocations.isRevoked(id, { fresh: true }, load);
}

test("a read asks once in a while; a revoked token is refused within a minute", async () => {
  expect(await read()).toBe(false);
  revoked.add("a");
  clock += MAX_AGE_MS - 1;
  expect([await read(), loads]).toEqual([false, 1]);
  clock += 1;
  expect([await read(), await read("b"), loads]).toEqual([true, false, 2]);
  expect(MAX_AGE_MS).toBeLessThan(60_000);
});

test("a write asks always, and at once tells the reads", async () => {
  await read();
  revoked.add("a");
  expect([await write(), await write("b"), await read(), loads]).toEqual([true, false, true, 3]);
});

test("without an answer no token is accepted when the list is old", async () => {
  const failing = () => Promise.reject(new Error("down"));
  await expect(revocations.isRevoked("a", { fresh: false }, failing)).rejects.toThrow("down");
  await read();
  expect(await revocations.isRevoked("a", { fresh: false }, failing)).toBe(false);
  await expect(revocations.isRevoked("a", { fresh: true }, failing)).rejects.toThrow("down");
  clock += MAX_AGE_MS;
  await expect(revocations.isRevoked("a", { fresh: false }, failing)).rejects.toThrow("down");
});

test("an answer that was long under way does not take the place of a newer one", async () => {
  let finish: (ids: ReadonlySet<string>) => void = () => {};
  const slow = revocations.isRevoked("a", { fresh: true }, () => new Promise((done) => (finish = done)));
  clock += 1000;
  revoked.add("a");
  expect(await write()).toBe(true);
  finish(new Set());
  await slow;
  expect([await read(), loads]).toEqual([true, 1]);
});

test("the age counts from the question and not from the answer", async () => {
  await revocations.isRevoked("a", { fresh: false }, async () => {
    clock += MAX_AGE_MS - 1;
    return new Set();
  });
  clock += 1;
  await read();
  expect(loads).toBe(1);
});
