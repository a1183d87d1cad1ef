// A browser for the tests of a file, and what every page must be: without errors, violations of its policy or faults of
// accessibility.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { nixVersion } from "../real-nix/client.ts";
import { chromiumPath, launch } from "./chromium.ts";

/** `describe`, but skipped without Chromium or Nix; `chromium.test.ts` says so. */
export const describeBrowser = describe.skipIf(chromiumPath === undefined || nixVersion === undefined);

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the console, and errors of scripts, so far. */
  readonly complaints: readonly string[];
}

/** To be called where the tests are collected. */
export function useBrowser(): (options?: BrowserContextOptions) => Promise<Visit> {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
  });
  return async (options = {}) => {
    if (browser === undefined) throw new Error("the browser has not started yet");
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    return { page, complaints };
  };
}

/** By Basic: the login may be anything, and the password is the token. */
export function signedIn(token: string): BrowserContextOptions {
  return { httpCredentials: { username: "any", password: token } };
}

/** Fails with what axe finds on the page. The page's own policy lets no test's script in: it is put in past that. */
export async function expectAccessible(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const run = `${AXE}; axe.run(document, { runOnly: ${JSON.stringify(WCAG)}, resultTypes: ["violations"] })`;
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    ...{ expression: run, awaitPromise: true, returnByValue: true },
  });
  expect(exceptionDetails).toBeUndefined();
  const { violations } = result.value as AxeResults;
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n  ")}`);
  await session.detach();
  expect(found).toEqual([]);
}
