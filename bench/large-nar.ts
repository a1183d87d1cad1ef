// `npm run bench:large-nar`: the runtime's memory while a large NAR goes in and out, beside that of a Worker that only
// passes the same bytes to the bucket. bench/README.md
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { copyProject } from "./project.ts";
import { peakDuring, residentMegabytes } from "./resident.ts";
import { startServer } from "./server.ts";
import { begin, complete, download, type LargeNar, makeLargeNar, PUSH_TOKEN, sendParts } from "./transfer.ts";

const NAR_BYTES = 1_200_000_000;
const PART_BYTES = 64 * 1024 * 1024;
const PARTS = Math.ceil(NAR_BYTES / PART_BYTES);
/** After the start, until nothing changes any more. */
const SETTLE_MS = 3_000;

interface Subject {
  readonly name: string;
  readonly config: string;
  readonly isSigned: boolean;
}

const SUBJECTS: readonly Subject[] = [
  { name: "the bucket alone", config: "bench/large-nar.toml", isSigned: false },
  { name: "nix-cache", config: "wrangler.toml", isSigned: false },
  { name: "nix-cache, bodies signed", config: "wrangler.toml", isSigned: true },
];

/** MB: of the idle process, and the most above that. */
interface Figures {
  readonly idle: number;
  readonly parts: number;
  readonly completion: number;
  readonly download: number;
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupt.abort(new Error(`stopped by ${signal}`)));
}
const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
const project = await copyProject(dir);
await writeFile(join(project, ".dev.vars"), `PUSH_TOKEN=${PUSH_TOKEN}\n`);
const nar = makeLargeNar(NAR_BYTES, PART_BYTES);
console.log(`A NAR of ${NAR_BYTES / 1e6} MB in ${PARTS} parts. MB idle, and at most above that:\n`);
console.log("| Worker                   | idle | parts | completion | download |");
console.log("| ------------------------ | ---: | ----: | ---------: | -------: |");
for (const subject of SUBJECTS) {
  const { idle, parts, completion, download } = await measure(subject, nar);
  const cells = [String(idle).padStart(4), `+${parts}`.padStart(5)];
  cells.push(`+${completion}`.padStart(10), `+${download}`.padStart(8));
  console.log(`| ${subject.name.padEnd(24)} | ${cells.join(" | ")} |`);
}

async function measure({ name, config, isSigned }: Subject, nar: LargeNar): Promise<Figures> {
  const own = join(dir, name.replaceAll(/\W+/g, "-"));
  await mkdir(own);
  const server = await startServer(join(project, config), own, interrupt.signal);
  try {
    const target = { url: server.url, isSigned };
    const peak = (run: () => Promise<void>) => peakDuring(server.group, run);
    await setTimeout(SETTLE_MS, undefined, { signal: interrupt.signal });
    const idle = residentMegabytes(server.group);
    const uploadId = await begin(target, nar);
    let etags: readonly string[] = [];
    const whileParts = await peak(async () => {
      etags = await sendParts(target, nar, uploadId, PARTS);
    });
    const whileCompleting = await peak(() => complete(target, nar, uploadId, etags));
    const whileDownloading = await peak(() => download(target, nar));
    const above = (megabytes: number) => Math.round(megabytes - idle);
    return {
      idle: Math.round(idle),
      parts: above(whileParts),
      completion: above(whileCompleting),
      download: above(whileDownloading),
    };
  } catch (error) {
    throw new Error(`${name}: ${String(error)}\n${server.output()}`, { cause: error });
  } finally {
    await server.stop();
    // A gigabyte and more.
    rmSync(own, { recursive: true, force: true, maxRetries: 5 });
  }
}
