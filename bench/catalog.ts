// `npm run bench:catalog`: the size of the catalog at 200,000 paths, and the growth of the time of `missing`.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathName, REFERENCES } from "./catalog-paths.ts";
import { type Server, startServer } from "./server.ts";
import { spread } from "./table.ts";

const PATHS = 200_000;
/** Paths that are indexed in one call. */
const STEP = 5_000;
/** The sizes at which the growth of the tables is read. */
const MILESTONES = [50_000, 100_000, PATHS];
const ASKED = [1_000, 5_000, 20_000];
const ROUNDS = 15;
/** A Durable Object holds this much. */
const OBJECT_BYTES = 10 * 1024 ** 3;

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => interrupt.abort(new Error(signal)));

const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
try {
  const server = await startServer(join(import.meta.dirname, "catalog.toml"), dir, interrupt.signal);
  try {
    await growth(server);
    await missing(server);
  } finally {
    await server.stop();
  }
} finally {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}

/** Fills the catalog and prints the size of a path. */
async function growth({ url }: Server): Promise<void> {
  console.log(
    `| paths, ${REFERENCES} references each | tables, MB | bytes per path | paths in 10 GB |\n|---:|---:|---:|---:|`,
  );
  for (let from = 0; from < PATHS; from += STEP) {
    const to = from + STEP;
    const bytes = Number(await (await ok(fetch(`${url}/fill?from=${from}&to=${to}`))).text());
    if (!MILESTONES.includes(to)) continue;
    const each = bytes / to;
    console.log(
      `| ${to} | ${(bytes / 1e6).toFixed(1)} | ${each.toFixed(0)} | ${(OBJECT_BYTES / each / 1e6).toFixed(1)} million |`,
    );
  }
}

/** Asks for paths of which every second one is there. One request each; the answer is checked. */
async function missing({ url }: Server): Promise<void> {
  console.log(
    `\n| asked at once | median, ms | minimum | maximum | µs per path |\n|---:|---:|---:|---:|---:|`,
  );
  for (const asked of ASKED) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const known = Array.from({ length: asked / 2 }, (_, index) => pathName((index * 7 + round) % PATHS));
      const absent = Array.from({ length: asked / 2 }, (_, index) => pathName(PATHS + index * 3 + round));
      const body = JSON.stringify({ paths: [...known, ...absent] });
      const began = performance.now();
      const answer = await (await ok(fetch(`${url}/api/v1/missing`, { method: "POST", body }))).json();
      times.push(performance.now() - began);
      const { length } = (answer as { missing: string[] }).missing;
      if (length !== absent.length) throw new Error(`${length} missing, not ${absent.length}`);
    }
    const { median, minimum, maximum } = spread(times);
    const cells = [
      asked,
      median.toFixed(1),
      minimum.toFixed(1),
      maximum.toFixed(1),
      ((median * 1000) / asked).toFixed(1),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

async function ok(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
  return response;
}
