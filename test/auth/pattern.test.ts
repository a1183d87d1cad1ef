/** Patterns with `*`: what each stands for, and against a regular expression that means the same. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { matches } from "../../src/auth/pattern.ts";

test.each([
  ["", "", true],
  ["a", "a", true],
  ["a", "A", false],
  ["a", "ab", false],
  ["b", "ab", false],
  ["", "a", false],
  ["*", "", true],
  ["*", "anything at all", true],
  ["*", "a/b", false],
  ["*", "a:b", false],
  ["**", "a/b:c", true],
  ["***", "a/b:c", true],
  ["team-*", "team-", true],
  ["team-*", "team-a", true],
  ["team-*", "my-team-a", false],
  ["*-ci", "team-ci", true],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["a.c", "abc", false],
  ["repo:acme/*", "repo:acme/app", true],
  ["repo:acme/*", "repo:acme/app:pull_request", false],
  ["repo:acme/*", "repo:acme/", true],
  ["repo:acme/*", "repo:acme-evil/app", false],
  ["repo:acme/**", "repo:acme/app:pull_request", true],
  ["repo:*/app", "repo:acme/evil/app", false],
  ["repo:acme/*:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/main", true],
  ["repo:acme/*:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/feature/x", false],
  ["repo:acme/*:ref:refs/heads/**", "repo:acme/app:ref:refs/heads/feature/x", true],
  ["refs/heads/*", "refs/heads/main\n", true],
  ["refs/heads/main", "refs/heads/main\n", false],
  ["ü*", "üx", true],
  ["*", "a\u{1f600}b", true],
])("%j and %j: %j", (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test("means the same as the regular expression", () => {
  const piece = fc.constantFrom("a", "b", "/", ":", ".", "*", "**");
  const text = fc.array(fc.constantFrom("a", "b", "/", ":", "."), { maxLength: 10 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), text, (pieces, letters) => {
      const pattern = pieces.join("");
      const source = pattern.replace(/\*\*+|\*|\./g, (part) => {
        if (part === ".") return "\\.";
        return part === "*" ? "[^/:]*" : ".*";
      });
      expect(matches(pattern, letters.join(""))).toBe(new RegExp(`^${source}$`, "s").test(letters.join("")));
    }),
    { numRuns: 2000 },
  );
});

test("takes no time to speak of, whatever the text", () => {
  const begun = Date.now();
  expect(matches(`${"*a".repeat(100)}*b`, "a".repeat(1024))).toBe(false);
  expect(Date.now() - begun).toBeLessThan(1000);
});
