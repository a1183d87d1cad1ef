// `npm run bench:catalog -- --paths 1000000`: what requests and jobs cost in a large catalog, against their budgets.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BUILT, CONFIG, copyCatalog } from "./catalog-file.ts";
import { graphOf, hashOf } from "./catalog-graph.ts";
import { follow, type Job, type Measured, measure } from "./catalog-measured.ts";
import {
  ADMIN_TOKEN,
  collection,
  deletion,
  firstRequest,
  PUSH_TOKEN,
  push,
  removed,
  requests,
  send,
} from "./catalog-requests.ts";
import { VARIABLES } from "./contest.ts";
import { interrupt, interrupted } from "./interrupt.ts";
import { type Server, startServer } from "./server.ts";
import { formatTable, percentile } from "./table.ts";

const PARTS = ["requests", "collection", "deletion", "migration"] as const;
/** From this version of the schema. */
const OLD_VERSION = 5;
/** Of the first request after an update, in milliseconds. */
const FIRST_MS = 1000;

const { values } = parseArgs({
  options: {
    paths: { type: "string", default: "200000" },
    only: { type: "string", default: PARTS.join(",") },
    minutes: { type: "string", default: "15" },
    keep: { type: "boolean", default: false },
  },
});
const paths = Number(values.paths);
const only = values.only.split(",");
const maxSeconds = Number(values.minutes) * 60;
if (!(paths >= 1000 && maxSeconds > 0) || only.some((part) => !PARTS.some((each) => each === part))) {
  console.error(
    `usage: npm run bench:catalog -- [--paths N, from 1000 (200000)] [--only ${PARTS.join(",")}] [--minutes N: the most of a job (15)] [--keep: the built catalogs, for the next time]`,
  );
  process.exit(2);
}

if (!values.keep) process.once("exit", () => rmSync(BUILT, { recursive: true, force: true, maxRetries: 5 }));

const graph = graphOf(paths);
const measured: Measured[] = [];
const jobs: Job[] = [];
try {
  if (only.some((part) => part !== "migration")) await withCatalog(undefined, measureOwn);
  if (only.includes("migration")) await withCatalog(OLD_VERSION, measureMigration);
} finally {
  print(measured, jobs);
}
if ([...measured, ...jobs].some(({ excess }) => excess.length > 0)) process.exitCode = 1;

async function measureOwn(server: Server): Promise<void> {
  const { url } = server;
  if (only.includes("requests")) {
    for (const request of requests(url, graph)) measured.push(await measure(server, request));
  }
  if (only.includes("collection")) {
    measured.push(await measure(server, collection(url)));
    const job = await follow(server, "collection: its alarms", () => push(url, graph), maxSeconds);
    const gone = await removed(url);
    // Some are deleted by the requests before.
    const isRight = gone <= graph.dead && gone > graph.dead * 0.99;
    jobs.push(isRight ? job : { ...job, excess: [...job.excess, `${gone} paths gone, not ${graph.dead}`] });
  }
  if (only.includes("deletion")) {
    measured.push(await measure(server, deletion(url, graph)));
    // References into what is being deleted are refused.
    const job = await follow(server, "delete with referrers: its alarms", () => push(url), maxSeconds);
    const status = await send(url, `/api/v1/paths/${hashOf(graph.wide)}`);
    jobs.push(status === 404 ? job : { ...job, excess: [...job.excess, `${status} for the deleted path`] });
  }
}

async function measureMigration(server: Server): Promise<void> {
  const { url } = server;
  const first = await measure(server, firstRequest(url));
  const slow = first.ms > FIRST_MS ? [`${first.ms.toFixed(0)} ms, not ${FIRST_MS}`] : [];
  measured.push({ ...first, excess: [...first.excess, ...slow] });
  jobs.push(await follow(server, "migration: its alarms", () => push(url, graph), maxSeconds));
}

async function withCatalog(
  version: number | undefined,
  run: (server: Server) => Promise<void>,
): Promise<void> {
  const variables = { ...VARIABLES, PUSH_TOKEN, ADMIN_TOKEN };
  const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
  try {
    await copyCatalog({ paths, variables, ...(version && { version }) }, dir, interrupt);
    const server = await startServer(CONFIG, dir, interrupt, variables);
    try {
      await Promise.race([run(server), interrupted]);
    } catch (error) {
      throw new Error(`${String(error)}\n${server.output()}`, { cause: error });
    } finally {
      await server.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function print(requests: readonly Measured[], jobs: readonly Job[]): void {
  const number = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 0 });
  const verdict = (excess: readonly string[]) =>
    excess.length === 0 ? "PASS" : `FAIL: ${excess.join(", ")}`;
  console.log(`\n${number(paths)} paths\n`);
  console.log(
    formatTable(
      ["request", "ms", "rows read", "rows written", "class A", "class B", "calls", "MB more", "budget"],
      requests.map(({ name, ms, cost, megabytes, excess }) => [
        ...[name, ms < 100 ? ms.toFixed(1) : number(ms), number(cost.rowsRead), number(cost.rowsWritten)],
        ...[number(cost.classA), number(cost.classB), number(cost.calls), number(megabytes), verdict(excess)],
      ]),
    ),
  );
  if (jobs.length === 0) return;
  console.log(
    `\n${formatTable(
      [
        ...[
          "job",
          "s",
          "alarms",
          "longest, ms",
          "rows read, the most of one",
          "rows written, the most of one",
        ],
        ...["class A", "class B", "calls that delete", "rows read", "rows written", "MB more"],
        ...["push meanwhile, ms: median", "most", "budget of an alarm"],
      ],
      jobs.map(({ name, seconds, alarms, longestMs, cost, total, megabytes, pushes, excess }) => [
        ...[name, number(seconds), number(alarms), number(longestMs)],
        ...[number(cost.rowsRead), number(cost.rowsWritten), number(total.classA), number(total.classB)],
        ...[number(total.deletes), number(total.rowsRead), number(total.rowsWritten), number(megabytes)],
        ...[number(percentile(pushes, 0.5)), number(Math.max(...pushes)), verdict(excess)],
      ]),
    )}`,
  );
}
