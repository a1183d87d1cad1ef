// `npm run bench:beside`: pushes by a real Nix into a large catalog, alone and beside eight clients that search without
// a pause.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newClient, nixVersion, removeScratch } from "../test/real-nix/client.ts";
import { generateClosure } from "../test/real-nix/closure.ts";
import { BUILT, CONFIG, copyCatalog } from "./catalog-file.ts";
import { PUSH_TOKEN } from "./catalog-requests.ts";
import { VARIABLES } from "./contest.ts";
import { interrupt, interrupted } from "./interrupt.ts";
import { type Server, startServer } from "./server.ts";
import { formatTable, spread } from "./table.ts";

const PUSHED = 300;
const SEARCHERS = 8;
/** The most by which a push may be slower beside anonymous clients. */
const MAX_RATIO = 1.5;
const WITH = [
  { name: "alone", searchers: 0, headers: {} },
  { name: "beside 8 anonymous clients", searchers: SEARCHERS, headers: {} },
  {
    ...{ name: "beside 8 members", searchers: SEARCHERS },
    headers: { Authorization: `Bearer ${PUSH_TOKEN}` },
  },
] as const;
const SEARCHES = ["q=zzz", "prefix=zzz"];

const { values } = parseArgs({
  options: {
    paths: { type: "string", default: "200000" },
    rounds: { type: "string", default: "3" },
    keep: { type: "boolean", default: false },
  },
});
const [paths, rounds] = [Number(values.paths), Number(values.rounds)];
if (!(paths >= 1000 && rounds >= 1)) {
  console.error(
    "usage: npm run bench:beside -- [--paths N, from 1000 (200000)] [--rounds N (3)] [--keep: the built catalog]",
  );
  process.exit(2);
}
if (nixVersion === undefined) throw new Error("there is no nix on PATH");

if (!values.keep) process.once("exit", () => rmSync(BUILT, { recursive: true, force: true, maxRetries: 5 }));

interface Phase {
  readonly seconds: number;
  /** Searches in a second, by the status of their answers. */
  readonly searches: ReadonlyMap<number, number>;
}

const variables = { ...VARIABLES, PUSH_TOKEN };
const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
try {
  await copyCatalog({ paths, variables }, dir, interrupt);
  const server = await startServer(CONFIG, dir, interrupt, variables);
  try {
    print(await Promise.race([allPhases(server), interrupted]));
  } finally {
    await server.stop();
  }
} finally {
  removeScratch();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}

async function allPhases(server: Server): Promise<Phase[][]> {
  const phases = WITH.map((): Phase[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const index of WITH.keys()) {
      // The first place rotates, so that other load of the machine affects all of them.
      const place = (index + round) % WITH.length;
      const kind = WITH[place];
      if (kind !== undefined) phases[place]?.push(await phase(server, kind));
    }
  }
  return phases;
}

/** One `nix copy` of a new closure. */
async function phase({ url }: Server, { searchers, headers }: (typeof WITH)[number]): Promise<Phase> {
  const client = newClient({ token: PUSH_TOKEN });
  const top = await generateClosure(client, PUSHED);
  const searches = new Map<number, number>();
  const over = new AbortController();
  const search = async (first: number) => {
    for (let next = first; !over.signal.aborted; next++) {
      const answer = await fetch(`${url}/api/v1/paths?${SEARCHES[next % SEARCHES.length]}`, { headers });
      await answer.arrayBuffer();
      if (!over.signal.aborted) searches.set(answer.status, (searches.get(answer.status) ?? 0) + 1);
    }
  };
  const running = Array.from({ length: searchers }, (_, index) =>
    search(index).catch((error) => {
      if (!interrupt.aborted) throw error;
    }),
  );
  const began = performance.now();
  try {
    await client.nix("copy", "--to", url, top);
  } finally {
    over.abort();
  }
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(running);
  return {
    seconds,
    searches: new Map([...searches].map(([status, count]) => [status, count / seconds])),
  };
}

function print(phases: readonly (readonly Phase[])[]): void {
  const seconds = phases.map((each) => spread(each.map((one) => one.seconds)));
  const alone = seconds[0]?.median ?? Number.NaN;
  const rows = WITH.map(({ name }, index) => {
    const { minimum = 0, median = 0, maximum = 0 } = seconds[index] ?? {};
    const ratio = median / alone;
    const statuses = new Set(phases[index]?.flatMap(({ searches }) => [...searches.keys()]));
    const each = [...statuses].map((status) => {
      const rates = phases[index]?.map(({ searches }) => searches.get(status) ?? 0) ?? [0];
      return `${status}: ${spread(rates).median.toFixed(0)}`;
    });
    const isHeld = name.includes("anonymous");
    if (isHeld && !(ratio <= MAX_RATIO)) process.exitCode = 1;
    return [
      ...[name, ...[minimum, median, maximum].map((value) => value.toFixed(1)), ratio.toFixed(2)],
      ...[each.join(", ") || "–", isHeld ? (ratio <= MAX_RATIO ? "PASS" : "FAIL") : "–"],
    ];
  });
  console.log(
    `\nNix ${nixVersion}, nix copy of ${PUSHED} paths into a catalog of ${paths.toLocaleString("en")}, ${rounds} rounds\n`,
  );
  console.log(
    formatTable(
      [...["", "s, minimum", "median", "maximum", "of alone", "searches a second"], `at most ${MAX_RATIO}`],
      rows,
    ),
  );
}
