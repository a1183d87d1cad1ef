// `npm run shots`: pictures of all pages, of a cache that real Nix has filled, at three widths, light and dark; and the
// README's, shots/page.webp, which docs/ has a copy of.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser } from "playwright-core";
import { removeScratch } from "../real-nix/client.ts";
import { newKey } from "../real-nix/keys.ts";
import { startServer } from "../real-nix/server.ts";
import { launch } from "./chromium.ts";
import { hashOf, PUSH_TOKEN, startFilled } from "./filled.ts";

const OUT = resolve(import.meta.dirname, "../../shots");
const README_ADDRESS = "https://cache.example.org";
/** Encodes a picture, given and returned in base-64: Chromium's own screenshots are never WebP. */
const WEBP = `async (url) => {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL("image/webp", 0.8).split(",")[1];
}`;
const WIDTHS = { phone: 390, tablet: 820, desk: 1440 };

const { server, paths, deriver } = await startFilled();
const browser = await launch();
try {
  const app = hashOf(paths.app);
  const pages = {
    use: "/",
    search: "/_/search",
    found: "/_/search?q=greet",
    nothing: "/_/search?q=zzz",
    path: `/_/path/${app}`,
    files: `/_/files/${app}/share/`,
    text: `/_/files/${app}/bin/greeter`,
    picture: `/_/files/${app}/share/picture.png`,
    log: `/_/log/${deriver}`,
    state: "/_/state",
    missing: `/_/path/${"0".repeat(32)}`,
  };
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [size, width] of Object.entries(WIDTHS)) {
      const context = await browser.newContext({
        colorScheme,
        viewport: { width, height: 900 },
        httpCredentials: { username: "any", password: PUSH_TOKEN, send: "always" },
      });
      const page = await context.newPage();
      mkdirSync(join(OUT, colorScheme), { recursive: true });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(`${server.url}${path}`);
        await page.screenshot({ path: join(OUT, colorScheme, `${name}-${size}.png`), fullPage: true });
      }
      await context.close();
    }
  }
  await shootReadme(browser);
  console.log(`pictures: ${OUT}`);
} finally {
  await browser.close();
  await server.stop();
  removeScratch();
}

/** The first page of a cache with the usual settings, under the address that the documents use. */
async function shootReadme(browser: Browser): Promise<void> {
  const cache = await startServer({ PUSH_TOKEN, SIGNING_KEY: newKey("cache.example.org-1").secret });
  try {
    const page = await browser.newPage({ viewport: { width: 1080, height: 750 } });
    await page.route(`${README_ADDRESS}/**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      const response = await route.fetch({ url: `${cache.url}${pathname}` });
      if (!response.headers()["content-type"]?.startsWith("text/html")) return route.fulfill({ response });
      const text = (await response.text()).replaceAll(cache.url, README_ADDRESS);
      await route.fulfill({
        response,
        body: text.replaceAll(new URL(cache.url).host, new URL(README_ADDRESS).host),
      });
    });
    await page.goto(`${README_ADDRESS}/`);
    const picture = (await page.screenshot()).toString("base64");
    // On a page without a policy that forbids it to load a picture.
    const blank = await browser.newPage();
    const encoded = await blank.evaluate<string>(`(${WEBP})("data:image/png;base64,${picture}")`);
    writeFileSync(join(OUT, "page.webp"), Buffer.from(encoded, "base64"));
  } finally {
    await cache.stop();
  }
}
