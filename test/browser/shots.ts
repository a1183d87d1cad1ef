// `npm run shots`: pictures of all pages, of a cache that real Nix has filled, at three widths, light and dark.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { removeScratch } from "../real-nix/client.ts";
import { launch } from "./chromium.ts";
import { hashOf, PUSH_TOKEN, startFilled } from "./filled.ts";

const OUT = resolve(import.meta.dirname, "../../shots");
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
  console.log(`pictures: ${OUT}`);
} finally {
  await browser.close();
  await server.stop();
  removeScratch();
}
