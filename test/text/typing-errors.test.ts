/** How many typing errors make one word of another. */
import { expect, test } from "vitest";
import { typingErrors } from "../../src/text/typing-errors.ts";

test.each<[string, string, number]>([
  ["", "", 0],
  ["abc", "abc", 0],
  ["abc", "acb", 1],
  ["abc", "ab", 1],
  ["abc", "abcd", 1],
  ["abc", "xbc", 1],
  ["ca", "abc", 3],
  ["kitten", "sitting", 3],
])("typing errors between %j and %j", (a, b, count) => {
  expect([typingErrors(a, b), typingErrors(b, a)]).toEqual([count, count]);
});
