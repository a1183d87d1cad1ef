// What pushers have written, shown as a web page: with its own styles and pictures, without scripts, forms or the rights
// of the cache's origin.
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeScratch } from "../real-nix/client.ts";
import { describeBrowser, signedIn, useBrowser } from "./browser.ts";
import { type Filled, hashOf, PULL_TOKEN, PUSH_TOKEN, startFilled } from "./filled.ts";

describeBrowser.each([
  ["a public cache", {}],
  ["a cache with a public listing", { LISTING: "public" }],
  ["a private cache", { PULL_TOKEN }],
])("of %s", (_, variables) => {
  const visit = useBrowser();
  let filled: Filled;
  beforeAll(async () => {
    filled = await startFilled(variables as Record<string, string>);
  });
  afterAll(async () => {
    await filled?.server.stop();
    removeScratch();
  });

  test("a manual", async () => {
    const { page } = await visit(signedIn(PUSH_TOKEN));
    const manual = `${filled.server.url}/_/serve/${hashOf(filled.paths.manual)}`;
    const response = await page.goto(manual);
    expect([response?.status(), page.url()]).toEqual([200, `${manual}/`]);
    expect(response?.headers()["content-security-policy"]).toMatch(/^sandbox; default-src 'none'; /);
    expect(await page.title()).toBe("Manual");
    const evaluated = (expression: string) => page.evaluate(expression);
    expect(await evaluated("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(1, 2, 3)");
    expect(await evaluated("document.querySelector('#own').naturalWidth")).toBe(16);
    // Beside it, on the same origin: not of the path.
    expect(await evaluated("document.querySelector('#foreign').naturalWidth")).toBe(0);
    expect(await evaluated("self.origin")).toBe("null");
    await page.getByText("Send").click();
    expect(page.url()).toBe(`${manual}/`);
    await page.getByText("A chapter").click();
    await page.waitForURL(`${manual}/chapter/`);
    expect(await page.title()).toBe("Chapter");
    expect(await evaluated("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(1, 2, 3)");
    await page.context().close();
  });

  test("a drawing with a script", async () => {
    const { page } = await visit(signedIn(PUSH_TOKEN));
    const response = await page.goto(
      `${filled.server.url}/_/raw/${hashOf(filled.paths.app)}/share/drawing.svg`,
    );
    expect(response?.headers()["content-type"]).toBe("image/svg+xml");
    expect(await page.evaluate("self.origin")).toBe("null");
    expect(await page.title()).toBe("");
    await page.context().close();
  });
});
