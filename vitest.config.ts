import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        // Everything of the Worker, inside the Workers runtime.
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: {
          name: "worker",
          globalSetup: ["test/support/oidc-setup.ts"],
          setupFiles: ["test/support/clock.ts"],
          testTimeout: 30_000,
          include: ["test/**/*.test.ts"],
          exclude: ["test/real-nix/**", "test/s3-clients/**", "test/cli/**"],
        },
      },
      {
        // The command line program, in Node.
        test: { name: "cli", include: ["test/cli/**/*.test.ts"] },
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
        // Real S3 clients over real HTTP against the real dev server.
        test: {
          name: "s3-clients",
          include: ["test/s3-clients/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
