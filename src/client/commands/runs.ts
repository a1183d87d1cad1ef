// `nix-cache gc` and `check`: long work of the cache, begun and followed.
import { setTimeout } from "node:timers/promises";
import type { CheckReport, GcReport } from "../../contract/runs.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { bytesText } from "../ground/format.ts";
import type { Output } from "../ground/output.ts";
import { type Cache, openCache } from "../http/api.ts";

const POLL_MS = 1000;
const NO_WAIT = { help: "begins it and does not wait for its end" } as const;
const STATUS = { help: "shows how the last one went, or how far it is, and begins none" } as const;

interface Run {
  readonly done: boolean;
  readonly phase: string;
  readonly steps: number;
  readonly problem?: string;
}

/** The report of the run when it has ended. */
export async function waitForRun<R extends Run>(cache: Cache, kind: string, output: Output): Promise<R> {
  let shown = "";
  for (;;) {
    const report = await cache.call<R>("GET", `/${kind}`);
    if (report.done) return report;
    const line = `${kind}: ${report.phase}${report.problem === undefined ? "" : `: ${report.problem}`}`;
    if (line !== shown) output.note(line);
    shown = line;
    await setTimeout(POLL_MS);
  }
}

interface How {
  readonly wait: boolean;
  readonly status: boolean;
  readonly options: object;
}

async function runOf<R extends Run>(cache: Cache, kind: string, how: How, output: Output): Promise<R> {
  if (how.status) return cache.call<R>("GET", `/${kind}`);
  const begun = await cache.call<R>("POST", `/${kind}`, how.options);
  return begun.done || !how.wait ? begun : waitForRun<R>(cache, kind, output);
}

export const GC = command({
  name: "gc",
  summary: "collects the paths that nothing keeps (admin)",
  examples: [
    { line: "nix-cache gc --dry-run", does: "what would go" },
    { line: "nix-cache gc --upstreams", does: "also what an upstream has by now" },
  ],
  flags: {
    "dry-run": { short: "n", help: "only says what would go" },
    force: { help: "goes on although more than half of the cache would go" },
    upstreams: { help: "also removes the paths that an upstream has" },
    "no-wait": NO_WAIT,
    status: STATUS,
  },
  async run({ flags, global, env, output }) {
    const options = {
      ...(flags["dry-run"] && { dry_run: true }),
      ...(flags.force && { force: true }),
      ...(flags.upstreams && { upstreams: true }),
    };
    const how = { wait: !flags["no-wait"], status: flags.status, options };
    const report = await runOf<GcReport>(openCache(global, env), "gc", how, output);
    output.result(report, () => {
      const { dead, alive, removed, upstream } = report;
      const amount = (what: { paths: number; bytes: number }) =>
        `${what.paths} paths, ${bytesText(what.bytes)}`;
      return [
        `${report.done ? "done" : `under way: ${report.phase}`}${report.dry_run ? " (dry run)" : ""}`,
        `alive     ${amount(alive)}`,
        `dead      ${amount(dead)}`,
        `upstream  ${amount(upstream)}`,
        `removed   ${amount(removed)}`,
        ...(report.stopped === undefined ? [] : [`stopped: ${report.stopped}`]),
        "",
      ].join("\n");
    });
    return report.stopped === undefined ? EXIT.done : EXIT.refused;
  },
});

export const CHECK = command({
  name: "check",
  summary: "looks for damage in the cache (admin)",
  details: ["The exit code is 1 where it finds something that it has not repaired."],
  examples: [
    { line: "nix-cache check", does: "compares bucket and catalog" },
    {
      line: "nix-cache check --deep --repair",
      does: "reads every NAR again, and repairs what is safe to repair",
    },
  ],
  flags: {
    repair: { help: "repairs what is safe to repair" },
    deep: { help: "reads every NAR again" },
    "no-wait": NO_WAIT,
    status: STATUS,
  },
  async run({ flags, global, env, output }) {
    const options = { ...(flags.repair && { repair: true }), ...(flags.deep && { deep: true }) };
    const how = { wait: !flags["no-wait"], status: flags.status, options };
    const report = await runOf<CheckReport>(openCache(global, env), "check", how, output);
    const kinds = Object.entries(report.findings).filter(([, { count }]) => count > 0);
    output.result(report, () => {
      const lines = kinds.flatMap(([kind, { count, repaired, first }]) => [
        `${kind}: ${count}, ${repaired} repaired`,
        ...first.map(({ name, detail }) => `  ${name}: ${detail}`),
      ]);
      const state = report.done ? "done" : `under way: ${report.phase}`;
      return [
        `${state}: ${report.narinfos} paths, ${report.nars} NARs`,
        ...(kinds.length === 0 ? ["clean"] : lines),
        "",
      ].join("\n");
    });
    return kinds.some(([, { count, repaired }]) => count > repaired) ? EXIT.failed : EXIT.done;
  },
});
