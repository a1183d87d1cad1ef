// `npm run build:client`: the client as one file, dist/nix-cache.mjs. It fails above the size that was promised.
import { chmodSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const ROOT = resolve(import.meta.dirname, "..");
const FILE = join(ROOT, "dist/nix-cache.mjs");
const MAX_BYTES = 300_000;

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
await build({
  entryPoints: [join(ROOT, "src/client/main.ts")],
  outfile: FILE,
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node22.18",
  define: { NIX_CACHE_VERSION: JSON.stringify(version) },
  logLevel: "warning",
});
chmodSync(FILE, 0o755);
const { size } = statSync(FILE);
console.log(`${FILE}: ${size} bytes`);
if (size > MAX_BYTES) {
  console.error(`it must have at most ${MAX_BYTES} bytes`);
  process.exitCode = 1;
}
