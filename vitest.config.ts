import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** The developer's own secrets, which `npm start` makes and wrangler reads for tests, too. */
const DEV_VARS = existsSync(".dev.vars") ? parseEnv(readFileSync(".dev.vars", "utf8")) : {};
/** Every test says what its cache is configured with. The Worker takes an empty variable for an absent one. */
const WITHOUT_DEV_VARS = Object.fromEntries(Object.keys(DEV_VARS).map((name) => [name, ""]));

// Tests that are not about upstreams ask none.
export default defineConfig({
  test: {
    // By itself Vitest leaves one of two processors idle.
    maxWorkers: "100%",
    projects: [
      {
        // Everything of the Worker, inside the Workers runtime.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: { ...WITHOUT_DEV_VARS, UPSTREAMS: "[]" } },
          }),
        ],
        test: {
          name: "worker",
          globalSetup: ["test/support/servers.ts"],
          setupFiles: ["test/support/clock.ts"],
          testTimeout: 30_000,
          include: ["test/**/*.test.ts"],
          exclude: [
            "test/real-nix/**",
            "test/s3-clients/**",
            "test/api-clients/**",
            "test/cli/**",
            "test/memory/**",
            "test/browser/**",
            "test/client/**",
            "test/docs/**",
          ],
        },
      },
      {
        // The command line program, in Node.
        test: { name: "cli", include: ["test/cli/**/*.test.ts"] },
      },
      {
        // The client, in Node.
        test: { name: "client", include: ["test/client/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        // What the largest requests take of the memory of a real dev server.
        test: {
          name: "memory",
          include: ["test/memory/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // Real Nix clients over real HTTP against the real dev server.
        test: {
          name: "real-nix",
          include: ["test/real-nix/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        // A real browser on the pages of a cache that real Nix has filled.
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        // Real S3 clients over real HTTP against the real dev server.
        test: {
          name: "s3-clients",
          include: ["test/s3-clients/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        // The commands and examples of README.md and docs/.
        test: {
          name: "docs",
          include: ["test/docs/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        // A real client of the API's description over real HTTP against the real dev server.
        test: {
          name: "api-clients",
          include: ["test/api-clients/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
