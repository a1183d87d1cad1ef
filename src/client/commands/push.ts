// `nix-cache push`.
import { lstatSync } from "node:fs";
import { availableParallelism } from "node:os";
import { usage } from "../command/parse.ts";
import { command, type Flags, type FlagValues } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import type { Failure } from "../ground/failure.ts";
import { bytesText, parseBytes } from "../ground/format.ts";
import { openCache } from "../http/api.ts";
import { DEFAULT_COMPRESSION, parseCompression } from "../push/compression.ts";
import { failureOf, type PushOptions, type PushReport, push } from "../push/push.ts";
import { requirePinName } from "./pin.ts";

/** Flags of all commands that push. */
export const PUSH_FLAGS = {
  exclude: {
    value: "REGEX",
    many: true,
    help: "leaves out paths whose HASH-NAME matches, and what refers to them",
  },
  "max-size": { value: "SIZE", help: "leaves out NARs that are larger, such as 2G" },
  jobs: { value: "N", short: "j", help: "NARs that are packed and sent at once" },
  compression: {
    value: "METHOD",
    help: "zstd:LEVEL (1 to 19, zstd:3 if not given), xz[:LEVEL] or none",
    completes: ["zstd:3", "zstd:10", "zstd:19", "xz", "none"],
  },
  "part-size": {
    value: "SIZE",
    help: "NARs above it are sent in parts of this size; if not given, those above 95 MB in parts of 64M, and those for a cache on this machine above 1G",
  },
  "no-listings": { help: "sends no listings of the NARs' files (for nix-index)" },
  "no-logs": { help: "sends no build logs" },
} as const satisfies Flags;

const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_JOBS = 64;
const MIN_DEFAULT_JOBS = 4;
const MAX_DEFAULT_JOBS = 16;

export const PUSH = command({
  name: "push",
  summary: "pushes store paths with their closures",
  args: "[PATH...]",
  takes: { min: 0, max: Number.POSITIVE_INFINITY },
  completes: "file",
  details: [
    "PATH is a store path, a link to one such as ./result (which it is if nothing is given), or an installable such as .#default that has been built. What the cache or one of its upstreams has is not sent. Every NAR is compared with the hash in the store's database before it is published.",
    "A path that cannot be pushed is tried again; then the rest goes on, and the exit code is 5. A large NAR whose upload was interrupted is continued by the next push.",
  ],
  examples: [
    { line: "nix-cache push", does: "the closure of ./result" },
    {
      line: "nix-cache push .#default --pin app",
      does: "an output of a flake, which stays while the pin does",
    },
    {
      line: "nix build --print-out-paths --no-link .#a .#b | nix-cache push --stdin",
      does: "what a build prints",
    },
    { line: "nix-cache push --dry-run --json ./result", does: "what would be sent" },
  ],
  flags: {
    stdin: { help: "reads more paths from standard input, separated by white space" },
    pin: { value: "NAME", help: "pins the path under this name once everything is there" },
    "no-closure": { help: "only the paths themselves; their references must be in the cache" },
    ...PUSH_FLAGS,
    "dry-run": { short: "n", help: "only says what would be sent" },
  },
  async run({ args, flags, global, env, output }) {
    const named = [...args, ...(flags.stdin ? await pathsOfStdin() : [])];
    if (named.includes("")) throw usage({ name: "push" }, "a path is empty: a variable that is not set?");
    if (flags.pin !== undefined) requirePinName(flags.pin, "push");
    if (named.length === 0 && !flags.stdin) {
      if (lstatSync("result", { throwIfNoEntry: false }) === undefined)
        throw usage({ name: "push" }, "there is no ./result: name what to push");
      named.push("./result");
    }
    const progress = output.progress();
    const options: PushOptions = {
      ...readPushFlags(flags, "push"),
      checkRoots(roots) {
        if (flags.pin === undefined || roots.length === 1) return;
        throw usage({ name: "push" }, `--pin is for one path, not for ${roots.length}`);
      },
      closure: !flags["no-closure"],
      dryRun: flags["dry-run"],
      env,
      onProgress: (state) => progress.update(state),
      warn: output.warn,
    };
    const cache = openCache(global, env, { connections: options.jobs + 16 });
    const report = await push(cache, named, options);
    const failure = failureOf(report, "pushed");
    if (flags.pin !== undefined && !options.dryRun) {
      const [root] = report.roots;
      if (failure === undefined && root !== undefined) {
        await cache.call("PUT", `/pins/${encodeURIComponent(flags.pin)}`, { store_path: root });
        output.note(`pinned ${root} as ${flags.pin}`);
      }
    }
    output.result(jsonOf(report), () => textOf(report, options.dryRun));
    if (failure !== undefined) throw failure;
    return EXIT.done;
  },
});

/** Throws {@link Failure} of usage. */
export function readPushFlags(
  flags: FlagValues<typeof PUSH_FLAGS>,
  name: string,
): Pick<PushOptions, "exclude" | "maxSize" | "jobs" | "compression" | "partSize" | "listings" | "logs"> {
  const wrong = (line: string): Failure => usage({ name }, line);
  const size = (flag: "max-size" | "part-size") => {
    const text = flags[flag];
    const bytes = text === undefined ? undefined : parseBytes(text);
    if (text !== undefined && bytes === undefined) throw wrong(`--${flag} '${text}' is no size such as 500M`);
    return bytes;
  };
  const compression =
    flags.compression === undefined ? DEFAULT_COMPRESSION : parseCompression(flags.compression);
  if (compression === undefined) {
    throw wrong("--compression is zstd:LEVEL with 1 to 19, xz:LEVEL with 0 to 9, or none");
  }
  const partSize = size("part-size");
  if (partSize !== undefined && partSize < MIN_PART_BYTES) throw wrong("--part-size is at least 5M");
  return {
    exclude: flags.exclude.map((text) => pattern(text, wrong)),
    maxSize: size("max-size"),
    jobs: jobsOf(flags.jobs, wrong),
    compression,
    partSize,
    listings: !flags["no-listings"],
    logs: !flags["no-logs"],
  };
}

function jobsOf(text: string | undefined, wrong: (line: string) => Failure): number {
  if (text === undefined) {
    return Math.min(MAX_DEFAULT_JOBS, Math.max(MIN_DEFAULT_JOBS, 2 * availableParallelism()));
  }
  const jobs = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (jobs < 1 || jobs > MAX_JOBS) throw wrong(`--jobs is a number from 1 to ${MAX_JOBS}`);
  return jobs;
}

function pattern(text: string, wrong: (line: string) => Failure): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw wrong(`--exclude '${text}' is no regular expression`);
  }
}

export async function pathsOfStdin(): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks)
    .toString("utf8")
    .split(/\s+/)
    .filter((word) => word !== "");
}

function jsonOf(report: PushReport) {
  return { ...report, failed: report.failed.map(({ path, reason }) => ({ path, reason })) };
}

function textOf(report: PushReport, isDryRun: boolean): string {
  const { pushed, nar_size, sent, present, left_out, failed } = report;
  const lines = isDryRun ? pushed.map((path) => `${path}\n`) : [];
  const parts = [
    isDryRun
      ? `would push ${pushed.length} paths (${bytesText(nar_size)} unpacked)`
      : `pushed ${pushed.length} paths (${bytesText(nar_size)}, ${bytesText(sent)} sent)`,
    `${present} were there`,
    ...(left_out.length > 0 ? [`${left_out.length} left out`] : []),
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
  ];
  return `${lines.join("")}${parts.join(", ")}\n`;
}
