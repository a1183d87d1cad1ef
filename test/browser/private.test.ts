// A private cache shows a browser nothing before its token, and everything after it.
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeScratch } from "../real-nix/client.ts";
import { describeBrowser, expectAccessible, signedIn, useBrowser } from "./browser.ts";
import { type Filled, hashOf, PULL_TOKEN, startFilled } from "./filled.ts";

describeBrowser("a private cache", () => {
  const visit = useBrowser();
  let filled: Filled;
  beforeAll(async () => {
    filled = await startFilled({ PULL_TOKEN });
  });
  afterAll(async () => {
    await filled?.server.stop();
    removeScratch();
  });

  const paths = () => {
    const app = hashOf(filled.paths.app);
    return [
      ...["/", "/_/", "/_/search", "/_/search?q=greet", "/_/state", `/_/path/${app}`, `/_/files/${app}/`],
      ...[`/_/files/${app}/bin/greeter`, `/_/raw/${app}/bin/greeter?text`, `/_/serve/${app}/`],
      `/_/log/${filled.deriver}`,
    ];
  };

  const SECRET = /greet|cache\.example\.org|hello|nix-cache-test/;

  test("before the token", async () => {
    const { page } = await visit();
    for (const path of paths()) {
      const url = `${filled.server.url}${path}`;
      const answer = await fetch(url, { headers: { Accept: "text/html" } });
      expect([path, answer.status]).toEqual([path, 401]);
      expect(answer.headers.get("Cache-Control")).toBe("private, no-store");
      const text = await answer.text();
      expect(text).toContain("Sign in to see this");
      expect(text).not.toMatch(SECRET);
      // The browser asks for a password; nobody is there to give one.
      await expect(page.goto(url)).rejects.toThrow("ERR_INVALID_AUTH_CREDENTIALS");
    }
    await page.context().close();
  });

  test("a wrong token", async () => {
    const { page } = await visit(signedIn("wrong"));
    for (const path of paths()) {
      expect((await page.goto(`${filled.server.url}${path}`))?.status()).toBe(401);
      expect(await page.textContent("h1")).toBe("Sign in to see this");
      expect(await page.content()).not.toMatch(SECRET);
    }
    await expectAccessible(page);
    await page.context().close();
  });

  test("after it", async () => {
    const { page, complaints } = await visit(signedIn(PULL_TOKEN));
    for (const path of paths().filter((each) => !/raw|serve/.test(each))) {
      const response = await page.goto(`${filled.server.url}${path}`);
      expect([path, response?.status()]).toEqual([path, 200]);
      expect(response?.headers()["cache-control"]).toBe("private, no-store");
      expect(await page.textContent(".who")).toBe("Signed in as PULL_TOKEN");
    }
    expect(await page.textContent("main")).toContain("==> unpacking sources");
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
