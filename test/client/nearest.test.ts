// What the client suggests for a mistyped option or command.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nearest } from "../../src/client/command/nearest.ts";
import { parse } from "../../src/client/command/parse.ts";
import { GLOBAL_FLAGS } from "../../src/client/command/spec.ts";
import { COMMANDS } from "../../src/client/commands.ts";

const find = (name: string) => {
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) throw new Error(name);
  return command;
};

test.each([
  ["token mint", "--permissions", "--permission"],
  ["token mint", "--permision=push", "--permission"],
  ["token mint", "--expire", "--expires"],
  ["push", "--dryrun", "--dry-run"],
  ["push", "--comrpession", "--compression"],
  ["stats", "--token", "--token-file"],
  ["doctor", "--jsno", "--json"],
])("%s %s: %s", (name, typed, meant) => {
  expect(() => parse(find(name), [typed, "x"])).toThrow(`; did you mean ${meant}?`);
});

test.each([
  ["push", "--nonsense"],
  ["push", "-x"],
  ["push", "--"],
  ["push", "--x"],
])("%s %s: nothing is near", (name, typed) => {
  const line = (() => {
    try {
      return void parse(find(name), [typed]);
    } catch (error) {
      return String(error);
    }
  })();
  expect(line ?? "").not.toContain("did you mean");
});

describe.each(COMMANDS.map((command) => [command.name, command] as const))("%s", (_, command) => {
  const flags = Object.keys({ ...GLOBAL_FLAGS, ...command.flags });
  test.each(flags)("--%s with an s more, or a letter less", (flag) => {
    expect(nearest(`${flag}s`, flags)).toBe(flag);
    expect(flags).toContain(nearest(flag.slice(0, -1), flags));
  });
});

test("a word is nearest to itself, and the answer is one of the words", () => {
  const words = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1 });
  fc.assert(
    fc.property(words, fc.string({ maxLength: 12 }), (all, typed) => {
      const [first = ""] = all;
      expect(nearest(first, [first])).toBe(first);
      expect([undefined, ...all]).toContain(nearest(typed, all));
    }),
  );
});
