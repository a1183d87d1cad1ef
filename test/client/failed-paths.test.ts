// What the user reads of paths that were not pushed: one line each, with the path's name once.
import { expect, test } from "vitest";
import { Failure } from "../../src/client/ground/failure.ts";
import { failureOf, lineOfPath } from "../../src/client/push/failure.ts";

const PATH = "/nix/store/3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-hello";
const NAME = "3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-hello";

test.each([
  ["no answer within 120 seconds", `${PATH}: no answer within 120 seconds`],
  [`${NAME} has no valid signature`, `${NAME} has no valid signature`],
  [`narinfo: CA: ${NAME} does not follow from it`, `narinfo: CA: ${NAME} does not follow from it`],
  ["refers to /nix/store/b-c", `${PATH}: refers to /nix/store/b-c`],
])("%s", (reason, line) => {
  expect(lineOfPath({ path: PATH, reason, error: new Failure("refused", reason) })).toBe(line);
});

const failed = (...reasons: string[]) =>
  reasons.map((reason) => ({ path: PATH, reason, error: new Failure("refused", reason, 409) }));

test.each([
  [[], failed("no"), "refused", "no"],
  [["/nix/store/a-b"], failed("no"), "partly", `1 path was not pushed: ${PATH}: no`],
  [["/nix/store/a-b"], failed("no", "neither"), "partly", `2 paths were not pushed: ${PATH}: no`],
])("of a push of %j with failures", (pushed, failures, kind, message) => {
  expect(failureOf(pushed, failures, "pushed")).toMatchObject({ kind, message });
});
