/** The form that every refusal must have. */
import { expect } from "vitest";
import { KINDS } from "../../src/bucket/kinds.ts";
import type { Answer } from "./cache.ts";

/** Nix shows its user only bodies that are shorter. */
const NIX_SHOWS_BELOW = 1024;

/** Checks a refusal and gives its line. */
export function expectRefusal(answer: Answer, status: number): string {
  const { text, headers } = answer;
  expect({ status: answer.status, text }).toMatchObject({ status });
  expect(new TextEncoder().encode(text).length).toBeLessThan(NIX_SHOWS_BELOW);
  expect(text).toMatch(/^[^\p{C}]+\n$/u);
  expect(text).not.toMatch(/\bat .*:\d+|TypeError|undefined|\[object /);
  expect(headers.get("Content-Type")).toBe("text/plain; charset=utf-8");
  expect(headers.get("Cache-Control")).toMatch(/^(private, )?no-store$/);
  return text;
}

/** Kinds of objects that come with a path, which must not fail because of them. */
export const LEFT_OUT = new Set(KINDS.filter(({ mayBeLeftOut }) => mayBeLeftOut).map(({ name }) => name));

/** Checks that an object beyond its kind's limits is refused, or acknowledged and left out. Gives the line. */
export function expectBeyond(kind: string, answer: Answer, status: number): string {
  const isLeftOut = LEFT_OUT.has(kind);
  expect(answer.headers.get("Nix-Cache-Stored")).toBe(isLeftOut ? "no" : null);
  if (!isLeftOut) return expectRefusal(answer, status);
  expect(answer.text).toMatch(/ is not stored, and the path needs no /);
  return expectRefusal(answer, 200);
}
