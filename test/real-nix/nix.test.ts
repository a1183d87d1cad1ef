// Reports the Nix that the other files use, or that there is none.
import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { nixVersion } from "./nix.ts";

const STDERR = 2;

test("a Nix to test with", (context) => {
  if (nixVersion !== undefined) {
    // Past Vitest, which may swallow a passing test's output.
    writeSync(STDERR, `real-Nix tests run with Nix ${nixVersion}\n`);
    return;
  }
  const message = "real-Nix tests skipped: no nix on this machine";
  writeSync(STDERR, `${message}\n`);
  expect(process.env.REQUIRE_NIX ?? "", `REQUIRE_NIX is set, but ${message}`).toBe("");
  context.skip(message);
});
