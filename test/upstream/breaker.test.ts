/** The breaker: a push of many paths loses little time to an upstream that fails, however it does. */
import { describe, expect, test } from "vitest";
import { Breaker, PAUSE_MS } from "../../src/upstream/breaker.ts";

const START = 1_800_000_000_000;
/** Milliseconds that a push may be longer. */
const MAX_LOST_MS = 10_000;

type Question = { readonly ms: number; readonly fails?: true };

/** Milliseconds that so many questions take, one after the other. */
function ask(breaker: Breaker, questions: number, answer: (n: number) => Question): number {
  let now = START;
  for (let n = 0; n < questions; n++) {
    if (!breaker.admits(now)) continue;
    const { ms, fails } = answer(n);
    now += ms;
    if (fails) breaker.failed(now, ms);
    else breaker.answered(now, ms);
  }
  return now - START;
}

describe("1,000 questions to an upstream", () => {
  test.each<[string, (n: number) => Question]>([
    ["that hangs", () => ({ ms: 2000, fails: true })],
    ["that is down", () => ({ ms: 1, fails: true })],
    ["that fails late", () => ({ ms: 1900, fails: true })],
    ["that is slow", () => ({ ms: 1999 })],
    ["that is rather slow", () => ({ ms: 600 })],
    ["that is slow every second time", (n) => ({ ms: n % 2 === 0 ? 1999 : 5 })],
    ["that is slow every fifth time", (n) => ({ ms: n % 5 === 0 ? 1500 : 5 })],
    ["that fails every second time", (n) => (n % 2 === 0 ? { ms: 2000, fails: true } : { ms: 5 })],
  ])("%s take ten seconds at most", (_, answer) => {
    expect(ask(new Breaker(), 1000, answer)).toBeLessThanOrEqual(MAX_LOST_MS);
  });

  test("that is fast but for one in a hundred are all asked", () => {
    const lost = ask(new Breaker(), 1000, (n) => ({ ms: n % 100 === 99 ? 1500 : 10 }));
    expect(lost).toBe(990 * 10 + 10 * 1500);
  });
});

describe("after a pause", () => {
  const dead = () => {
    const breaker = new Breaker();
    for (let n = 0; n < 2; n++) breaker.failed(START, 2000);
    return breaker;
  };

  test("one question tries it, and its answer decides", () => {
    const breaker = dead();
    const later = START + PAUSE_MS;
    expect([breaker.admits(later - 1), breaker.admits(later), breaker.admits(later)]).toEqual([
      false,
      true,
      false,
    ]);
    breaker.answered(later + 20, 20);
    expect(breaker.admits(later + 20)).toBe(true);
  });

  test("one that fails again is not asked for another minute", () => {
    const breaker = dead();
    breaker.admits(START + PAUSE_MS);
    breaker.failed(START + PAUSE_MS + 2000, 2000);
    expect(breaker.admits(START + 2 * PAUSE_MS + 1999)).toBe(false);
    expect(breaker.admits(START + 2 * PAUSE_MS + 2000)).toBe(true);
  });

  test("an answer to a question from before it is no sign of life", () => {
    const breaker = dead();
    breaker.answered(START + 100, 200);
    expect(breaker.admits(START + 100)).toBe(false);
  });

  test("a clock that is set back does not prolong it", () => {
    expect(dead().admits(START - 24 * 3600_000)).toBe(true);
  });
});
