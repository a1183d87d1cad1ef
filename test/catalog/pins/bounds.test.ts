/** Pins of the bucket that no cache has written: bounded before they are parsed. */
import { expect, test, vi } from "vitest";
import { MAX_PIN_BYTES, parsePin } from "../../../src/catalog/pins/object.ts";

test.each([
  ["brackets", "[".repeat(MAX_PIN_BYTES)],
  ["nested revisions", `{"revisions":${"[".repeat(20)}${"]".repeat(20)}}`],
  ["a list of nothing", `{"revisions":[${"{},".repeat(150_000)}{}]}`],
])("%s are no pin, and are not parsed", (_, text) => {
  const parse = vi.spyOn(JSON, "parse");
  expect(parsePin(text, "/nix/store")).toBeUndefined();
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
});
