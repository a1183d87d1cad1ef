// `npm run bench:handler`: the time of the Worker's own code for a read, in microseconds, with a bucket in memory.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usageOf } from "./processes.ts";
import { type Server, startServer } from "./server.ts";
import { formatTable, spread } from "./table.ts";

const HASH = "0123456789abcdfghijklmnpqrsvwxyz";
const OTHER = "zyxwvsrqpnmlkjihgfdcba9876543210";
const CASES = [
  { title: "narinfo, hit", method: "GET", path: `/${HASH}.narinfo`, status: 200 },
  { title: "narinfo, miss", method: "GET", path: `/${OTHER}.narinfo`, status: 404 },
  { title: "narinfo, HEAD", method: "HEAD", path: `/${HASH}.narinfo`, status: 200 },
  { title: "NAR", method: "GET", path: `/nar/${HASH}.nar.xz`, status: 200 },
];
const WHO = ["worker", "baseline"] as const;
const CALLS = 30_000;
const ROUNDS = 9;

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => interrupt.abort(new Error(signal)));

const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
try {
  const server = await startServer(join(import.meta.dirname, "handler.toml"), dir, interrupt.signal);
  try {
    const rows: string[][] = [];
    for (const each of CASES) {
      const micros = { worker: [] as number[], baseline: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        for (const who of WHO) micros[who].push(await measure(server, who, each));
      }
      const cells = WHO.map((who) => {
        const { minimum, median, maximum } = spread(micros[who]);
        return [minimum, median, maximum].map((value) => value.toFixed(1)).join(" / ");
      });
      rows.push([each.title, ...cells]);
    }
    console.log(formatTable(["µs: minimum / median / maximum", "nix-cache", "ten lines"], rows));
  } finally {
    await server.stop();
  }
} finally {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}

/** Microseconds of one call, the request object that it needs included. */
async function measure(server: Server, who: string, each: (typeof CASES)[number]): Promise<number> {
  const query = new URLSearchParams({ who, path: each.path, method: each.method, calls: String(CALLS) });
  const before = clock(server.group);
  const answer = await fetch(`${server.url}/?${query}`, { signal: interrupt.signal });
  const text = await answer.text();
  const micros = ((clock(server.group) - before) * 1e6) / CALLS;
  if (text !== String(each.status)) throw new Error(`${each.title}, ${who}: ${answer.status} ${text}`);
  return micros;
}

/** Seconds of processor time, which are independent of other load; wall-clock time if they are not available. */
function clock(group: number): number {
  return usageOf(group)?.cpuSeconds ?? performance.now() / 1000;
}
