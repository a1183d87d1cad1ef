import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The developer's own secrets, which `npm start` makes and wrangler reads for tests, too. */
const DEV_VARS = existsSync(".dev.vars") ? parseEnv(readFileSync(".dev.vars", "utf8")) : {};
/** Every test says what its cache is configured with. The Worker takes an empty variable for an absent one. */
const WITHOUT_DEV_VARS = Object.fromEntries(Object.keys(DEV_VARS).map((name) => [name, ""]));

const MEMORY = "/dev/shm";
/** Bytes: several times what the Worker's tests have in their buckets and catalogs at once. */
const MEMORY_NEEDED = 1e9;
const DISK = tmpdir();

/**
 * Has workerd keep its buckets and catalogs in memory where that can be, as they are emptied hundreds of times: on a disk it
 * waits for each change.
 */
function keepStateInMemory(): void {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < MEMORY_NEEDED) return;
    const dir = mkdtempSync(join(MEMORY, "nix-cache-tests-"));
    process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
    process.env.TMPDIR = dir;
  } catch {
    // There is no such folder, or not for us.
  }
}
keepStateInMemory();
/** The other projects write gigabytes, and start wrangler and the client again and again: V8 compiles them once. */
const ON_DISK = {
  env: { TMPDIR: DISK, NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/nix-cache-tests") },
};

/** A comment with this tag marks a file that takes more than two seconds; `npm run test:quick` leaves it out. */
const SLOW = "slow";

/** Slow files first, so that none is left alone at the end, also where Vitest has never seen how long they take. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSlow = ({ moduleId }: TestSpecification) =>
      readFileSync(moduleId, "utf8").includes(`@module-tag ${SLOW}`);
    const sorted = await super.sort(files);
    // Its runtimes end where a file of another project is next.
    const worker = sorted.filter(({ project }) => project.name === "worker");
    const others = sorted.filter(({ project }) => project.name !== "worker");
    return [...others, ...worker.filter(isSlow), ...worker.filter((file) => !isSlow(file))];
  }
}
const isShuffled = process.argv.some((argument) => argument.startsWith("--sequence.shuffle"));

const ALONE = [
  // workerd crashes in it ("Promise callback destroyed itself") where it has run other files before.
  "test/cache/publish/races.test.ts",
  // Its catalogs refuse to start, and once the next file got one of them.
  "test/catalog/newer-catalog.test.ts",
];
const NOT_IN_WORKERD = [
  "test/real-nix/**",
  "test/s3-clients/**",
  "test/api-clients/**",
  "test/cli/**",
  "test/memory/**",
  "test/browser/**",
  "test/client/**",
  "test/docs/**",
];
const WORKER = {
  globalSetup: ["test/support/servers.ts"],
  setupFiles: ["test/support/clean-start.ts", "test/support/clock.ts"],
  testTimeout: 30_000,
  include: ["test/**/*.test.ts"],
};

function workersRuntime() {
  return cloudflareTest({
    wrangler: { configPath: "./wrangler.toml" },
    // Tests that are not about upstreams ask none.
    miniflare: { bindings: { ...WITHOUT_DEV_VARS, UPSTREAMS: "[]" } },
  });
}

export default defineConfig({
  test: {
    // One more than there are processors: real clients mostly wait.
    maxWorkers: availableParallelism() + 1,
    sequence: isShuffled ? {} : { sequencer: SlowFirst },
    tags: [{ name: SLOW, description: "Takes more than two seconds." }],
    projects: [
      {
        // Everything of the Worker, inside the Workers runtime. A runtime takes longer to start than most files to run,
        // so one runs many files: see test/support/clean-start.ts.
        plugins: [workersRuntime()],
        test: { ...WORKER, name: "worker", isolate: false, exclude: [...NOT_IN_WORKERD, ...ALONE] },
      },
      {
        // Those of them that need a runtime of their own.
        plugins: [workersRuntime()],
        test: { ...WORKER, name: "worker-alone", include: ALONE },
      },
      {
        // The command line program, in Node.
        test: { ...ON_DISK, name: "cli", include: ["test/cli/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        // The client, in Node.
        test: { ...ON_DISK, name: "client", include: ["test/client/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        // What the largest requests take of the memory of a real dev server.
        test: {
          ...ON_DISK,
          name: "memory",
          include: ["test/memory/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // Real Nix clients over real HTTP against the real dev server.
        test: {
          ...ON_DISK,
          name: "real-nix",
          include: ["test/real-nix/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // A real browser on the pages of a cache that real Nix has filled.
        test: {
          ...ON_DISK,
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        // Real S3 clients over real HTTP against the real dev server.
        test: {
          ...ON_DISK,
          name: "s3-clients",
          include: ["test/s3-clients/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // The commands and examples of README.md and docs/.
        test: {
          ...ON_DISK,
          name: "docs",
          include: ["test/docs/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        // A real client of the API's description over real HTTP against the real dev server.
        test: {
          ...ON_DISK,
          name: "api-clients",
          include: ["test/api-clients/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
