// `npm run bench:upstreams`: a real `nix copy` of 1,000 paths of which 950 are in an upstream, against the same without
// upstreams. The upstream is a directory on loopback, filled by `nix copy`.
import { createReadStream, mkdirSync, rmSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newClient, nixVersion, removeScratch } from "../test/real-nix/client.ts";
import { generateClosure } from "../test/real-nix/closure.ts";
import { newKey } from "../test/real-nix/keys.ts";
import { listen } from "../test/real-nix/proxy.ts";
import { PUSH_TOKEN, VARIABLES } from "./contest.ts";
import { copyProject } from "./project.ts";
import { startServer } from "./server.ts";
import { formatTable } from "./table.ts";

const UPSTREAM_PATHS = 950;
const OWN_PATHS = 50;
const ROUNDS = 3;

interface Figures {
  readonly seconds: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly questions: number;
}

if (nixVersion === undefined) {
  console.error("there is no nix on PATH");
  process.exit(1);
}
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => interrupt.abort(new Error(signal)));
const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));

const key = newKey("upstream-1");
const files = join(dir, "upstream");
mkdirSync(files);
let questions = 0;
const upstream = await listen(
  createServer(({ url = "/" }, response) => {
    questions++;
    const stat = statSync(join(files, decodeURIComponent(url)), { throwIfNoEntry: false });
    if (!stat?.isFile()) return void response.writeHead(404).end();
    response.writeHead(200, { "Content-Length": stat.size });
    createReadStream(join(files, decodeURIComponent(url))).pipe(response);
  }),
);
const project = await copyProject(dir);

const figures: Record<"with" | "without", Figures[]> = { with: [], without: [] };
try {
  for (let round = 0; round < ROUNDS; round++) {
    const client = newClient({ token: PUSH_TOKEN });
    const lower = await generateClosure(client, UPSTREAM_PATHS);
    const keyFile = client.write("upstream-key", key.secret);
    await client.nix("copy", "--to", `file://${files}?secret-key=${keyFile}&compression=none`, lower);
    const top = await client.nix("eval", "--impure", "--raw", "--expr", ownPaths(lower));
    const order = round % 2 === 0 ? (["with", "without"] as const) : (["without", "with"] as const);
    for (const which of order) figures[which].push(await push(which, top));

    async function push(which: "with" | "without", path: string): Promise<Figures> {
      const own = join(dir, `${which}-${round}`);
      mkdirSync(own);
      const UPSTREAMS =
        which === "without"
          ? "[]"
          : JSON.stringify([{ url: `http://127.0.0.1:${upstream.port}`, public_keys: [key.public] }]);
      const server = await startServer(join(project, "bench/upstreams.toml"), own, interrupt.signal, {
        ...VARIABLES,
        UPSTREAMS,
      });
      try {
        questions = 0;
        const begin = performance.now();
        await client.nix("copy", "--to", server.url, path);
        const seconds = (performance.now() - begin) / 1000;
        const counts = (await (await fetch(`${server.url}/counts`)).json()) as Record<string, number>;
        return { seconds, counts, questions };
      } finally {
        await server.stop();
      }
    }
  }
} finally {
  await upstream.stop();
  removeScratch();
}

/** As many small paths of the pusher's own, each after the one before, the last with all below. */
function ownPaths(lower: string): string {
  return `
    let
      base = builtins.storePath "${lower}";
      own = n: builtins.toFile "own-\${toString n}" (if n == 0 then "after \${base}" else "after \${own (n - 1)} and \${base}");
    in own ${OWN_PATHS - 1}`;
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const row = (name: string, value: (each: Figures) => number, digits = 0) => [
  name,
  ...(["with", "without"] as const).map((which) => median(figures[which].map(value)).toFixed(digits)),
];
console.log(
  formatTable(
    [
      `nix copy of ${UPSTREAM_PATHS + OWN_PATHS} paths, Nix ${nixVersion}`,
      "950 of them upstream",
      "no upstreams",
    ],
    [
      row("seconds", ({ seconds }) => seconds, 1),
      row("class A", ({ counts }) => counts.class_a ?? 0),
      row("class B", ({ counts }) => counts.class_b ?? 0),
      row("catalog calls", ({ counts }) => counts.catalog_calls ?? 0),
      row("rows read", ({ counts }) => counts.rows_read ?? 0),
      row("rows written", ({ counts }) => counts.rows_written ?? 0),
      row("questions to the upstream", (each) => each.questions),
    ],
  ),
);
const ratio = median(
  figures.without.map(({ seconds }, round) => seconds / (figures.with[round]?.seconds ?? 1)),
);
console.log(`${ratio.toFixed(1)} times as fast`);
