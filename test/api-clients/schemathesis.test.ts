// Schemathesis (PyPI) asks the API what its description allows, and what it forbids: `SCHEMATHESIS_BIN`, else
// `schemathesis` on PATH. Without it the test is skipped and says so; with REQUIRE_SCHEMATHESIS=1 that is a failure.
import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { execute } from "../real-nix/execute.ts";
import { scratchDir } from "../real-nix/nix.ts";
import { serve } from "../real-nix/serve.ts";

const BIN = process.env.SCHEMATHESIS_BIN || "schemathesis";
/** Of each operation and phase; `SCHEMATHESIS_EXAMPLES=500` tries more. */
const EXAMPLES = process.env.SCHEMATHESIS_EXAMPLES ?? "5";
const SEED = process.env.SEED ?? "1";
const SHOWN = 4000;

const version = findVersion();

function findVersion(): string | undefined {
  try {
    return execFileSync(BIN, ["--version"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

test("a Schemathesis to test with", (context) => {
  if (version !== undefined) return;
  const message = "API tests skipped: no schemathesis on this machine (pip install schemathesis)";
  // Past Vitest, which may swallow a passing test's output.
  writeSync(2, `${message}\n`);
  expect(process.env.REQUIRE_SCHEMATHESIS ?? "", `REQUIRE_SCHEMATHESIS is set, but ${message}`).toBe("");
  context.skip(message);
});

describe.skipIf(version === undefined)("the description", () => {
  const server = serve({
    ADMIN_TOKEN: "admin",
    PUSH_TOKEN: "push",
    TOKEN_SECRET: "a-secret-that-mints-tokens-and-is-long-enough",
    CACHES: JSON.stringify({ team: {} }),
  });

  // Of a named cache: it is another server to its clients.
  test("is what the API does", async () => {
    const args = [
      ...["--config-file", join(import.meta.dirname, "schemathesis.toml"), "run"],
      ...[`${server.url}/team/api/v1/openapi.json`, "--header", "Authorization: Bearer admin"],
      ...["--seed", SEED, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing"],
      ...["--checks", "all", "--no-shrink", "--continue-on-failure"],
    ];
    const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: scratchDir(), NO_COLOR: "1" };
    const { code, stdout, stderr } = await execute(BIN, args, { env, cwd: env.HOME });
    // A body in it may have megabytes.
    const lines = (stdout + stderr).split("\n").map((line) => line.slice(0, 300));
    expect(code, lines.join("\n").slice(-SHOWN)).toBe(0);
    // Every operation has been asked.
    const [, asked, all] = /Selected: (\d+)\/(\d+)/.exec(stdout) ?? [];
    expect(asked).toBe(all);
    expect(Number(all)).toBeGreaterThan(20);
  });
});
