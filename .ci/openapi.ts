// Lints the API's OpenAPI description with Redocly's recommended rules, warnings included. Run it with `npm run check:api`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The one module that only the Workers runtime has: the description needs nothing of it.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "cloudflare:workers"
      ? { url: "data:text/javascript,export const waitUntil = undefined;", shortCircuit: true }
      : next(specifier, context),
});
const { openApi } = await import("../src/api/openapi.ts");
const { OPERATIONS } = await import("../src/api/operations.ts");

const REDOCLY = join(import.meta.dirname, "../node_modules/@redocly/cli/bin/cli.js");
const dir = mkdtempSync(join(tmpdir(), "openapi-"));
try {
  const file = join(dir, "openapi.json");
  writeFileSync(file, JSON.stringify(openApi(OPERATIONS, "/"), null, 1));
  const { status } = spawnSync(process.execPath, [REDOCLY, "lint", file, "--extends", "recommended-strict"], {
    stdio: "inherit",
    env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(dir, { recursive: true });
}
