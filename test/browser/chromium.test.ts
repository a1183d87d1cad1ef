// Reports the browser that the other files use, or that there is none.
import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { nixVersion } from "../real-nix/client.ts";
import { chromiumPath, launch } from "./chromium.ts";

const STDERR = 2;

test("a Chromium to test with", async (context) => {
  const missing =
    chromiumPath === undefined ? "no chromium" : nixVersion === undefined ? "no nix" : undefined;
  if (missing === undefined) {
    const browser = await launch();
    // Past Vitest, which may swallow a passing test's output.
    writeSync(STDERR, `browser tests run with Chromium ${browser.version()}\n`);
    await browser.close();
    return;
  }
  const message = `browser tests skipped: ${missing} on this machine`;
  writeSync(STDERR, `${message}\n`);
  expect(process.env.REQUIRE_CHROMIUM ?? "", `REQUIRE_CHROMIUM is set, but ${message}`).toBe("");
  context.skip(message);
});
