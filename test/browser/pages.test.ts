// Every page in a browser, of a cache that real Nix has filled: it shows what it should, complains of nothing, and axe
// finds nothing, light and dark, wide and narrow.
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeScratch } from "../real-nix/client.ts";
import { describeBrowser, expectAccessible, signedIn, useBrowser } from "./browser.ts";
import { type Filled, HOSTILE, HOSTILE_NAME, hashOf, PUSH_TOKEN, startFilled } from "./filled.ts";

describeBrowser("pages", () => {
  const visit = useBrowser();
  let filled: Filled;
  beforeAll(async () => {
    filled = await startFilled();
  });
  afterAll(async () => {
    await filled?.server.stop();
    removeScratch();
  });

  const app = () => hashOf(filled.paths.app);
  const PAGES: readonly (readonly [what: string, path: () => string, shows: () => string])[] = [
    ["the front page", () => "/", () => filled.key],
    ["use it", () => "/_/", () => filled.key],
    ["the newest paths", () => "/_/search", () => "greeter-manual-1.0.3"],
    ["a search", () => "/_/search?q=GREETING", () => "libgreeting-2.4.1"],
    ["a search that finds nothing", () => "/_/search?q=zzz", () => "No path has a name"],
    ["a path", () => `/_/path/${app()}`, () => "libgreeting-2.4.1"],
    ["files without a listing", () => `/_/files/${app()}/`, () => "bin/"],
    ["files with one", () => `/_/files/${hashOf(filled.paths.library)}/`, () => "include/"],
    ["a text", () => `/_/files/${app()}/bin/greeter`, () => "echo hello from"],
    ["a symlink", () => `/_/files/${app()}/bin/hello`, () => "A symlink to greeter"],
    ["a symlink to another path", () => `/_/files/${app()}/lib`, () => filled.paths.library],
    ["a symlink to nothing", () => `/_/files/${app()}/share/broken`, () => "../../nowhere"],
    ["bytes", () => `/_/files/${app()}/share/binary`, () => "It is no text"],
    ["a picture", () => `/_/files/${app()}/share/picture.png`, () => "Download"],
    ["a log", () => `/_/log/${filled.deriver}`, () => "[ 96%] Building C object src/part-12.c.o"],
    ["the state", () => "/_/state", () => "production"],
  ];
  const LOOKS = [
    { colorScheme: "light", viewport: { width: 1280, height: 800 } },
    // The narrowest of WCAG 2.2, 1.4.10.
    { colorScheme: "dark", viewport: { width: 320, height: 800 } },
  ] as const;

  test.each(PAGES.flatMap((page) => LOOKS.map((look) => [page[0], look.colorScheme, page, look] as const)))(
    "%s, %s",
    async (_, __, [, path, shows], look) => {
      const { page, complaints } = await visit({ ...look, ...signedIn(PUSH_TOKEN) });
      const response = await page.goto(`${filled.server.url}${path()}`);
      expect(response?.status()).toBe(200);
      expect(await page.textContent("main")).toContain(shows());
      await expectAccessible(page);
      const overflow = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
      expect(overflow).toBe(false);
      expect(complaints).toEqual([]);
      await page.context().close();
    },
  );

  test("every link of every page leads somewhere", async () => {
    const { page } = await visit(signedIn(PUSH_TOKEN));
    const links = new Set<string>();
    for (const [, path] of PAGES) {
      await page.goto(`${filled.server.url}${path()}`);
      for (const link of await page.locator("a[href]").all()) {
        links.add(new URL((await link.getAttribute("href")) ?? "", page.url()).href.replace(/#.*/, ""));
      }
    }
    expect(links.size).toBeGreaterThan(20);
    const { request } = page.context();
    for (const link of links) {
      const { status } = await fetch(link, { headers: { Authorization: `Bearer ${PUSH_TOKEN}` } });
      expect([link, status]).toEqual([link, 200]);
    }
    await request.dispose();
    await page.context().close();
  }, 60_000);

  test("a name and a text full of HTML stay text", async () => {
    const { page, complaints } = await visit(signedIn(PUSH_TOKEN));
    await page.goto(`${filled.server.url}/_/files/${app()}/share/odd%20names/`);
    await page.getByRole("link", { name: HOSTILE_NAME, exact: true }).click();
    await page.waitForURL(/odd%20names\/./);
    expect(await page.textContent("h1")).toBe(HOSTILE_NAME);
    expect(await page.textContent("pre.text")).toBe(HOSTILE);
    const [raw] = await Promise.all([page.waitForEvent("download"), page.getByText("Download").click()]);
    expect(raw.suggestedFilename()).not.toContain("/");
    await page.goto(`${filled.server.url}/_/log/${filled.deriver}`);
    expect(await page.textContent("pre.log")).toContain(HOSTILE);
    await page.goto(`${filled.server.url}/_/search?q=${encodeURIComponent(HOSTILE)}`);
    expect(await page.inputValue("#q")).toBe(HOSTILE);
    for (const path of [
      `/_/${encodeURIComponent(HOSTILE)}`,
      `/_/search?cursor=${encodeURIComponent(HOSTILE)}`,
    ]) {
      await page.goto(`${filled.server.url}${path}`);
    }
    expect(await page.title()).not.toContain("pwned");
    expect(await page.locator("main img, main script").count()).toBe(0);
    // The refusals have their status.
    expect(complaints.filter((text) => !/status of 40[04]/.test(text))).toEqual([]);
    await page.context().close();
  });

  test("the copy buttons copy, and are not there without scripts", async () => {
    const { page } = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
    await page.goto(filled.server.url);
    await page.getByRole("button", { name: "Copy: what a client trusts" }).click();
    await page.getByText("Copied").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(filled.key);
    await page.context().close();
    const { page: without } = await visit({ javaScriptEnabled: false });
    await without.goto(filled.server.url);
    expect(await without.locator("button:visible").count()).toBe(0);
    expect(await without.textContent("main")).toContain(filled.key);
    await without.context().close();
  });

  test("by keyboard: skip to the content, search, open a path", async () => {
    const { page } = await visit(signedIn(PUSH_TOKEN));
    await page.goto(`${filled.server.url}/_/search`);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
    await page.locator("#q").focus();
    await page.keyboard.type("greeting");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=greeting/);
    await page.getByRole("link", { name: "libgreeting-2.4.1" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/_\/path\//);
    expect(await page.textContent("h1")).toBe("libgreeting-2.4.1");
    await page.context().close();
  });
});
