/** The form that every refusal must have. */
import { expect } from "vitest";
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
