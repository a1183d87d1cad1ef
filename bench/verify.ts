// `npm run bench:verify`: how fast the facts of a NAR file are found in each compression, and in how much memory.
// bench/README.md
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import { dumpNar } from "../test/real-nix/nar.ts";
import { usageOf } from "./processes.ts";
import { peakDuring, residentMegabytes } from "./resident.ts";
import { type Server, startServer } from "./server.ts";
import { formatTable } from "./table.ts";

/** A program and its libraries: the TypeScript compiler. */
const TREE = resolve(import.meta.dirname, "../node_modules/@typescript");
const MB = 1e6;
const MAX_BUFFER = 2 ** 30;
const BROTLI_QUALITY = 5;

interface Subject {
  readonly title: string;
  readonly compression: string;
  readonly make: (nar: Buffer) => Uint8Array;
  /** A content address, to be checked too. */
  readonly ca?: (nar: Buffer) => string;
}

const command = (program: string, ...options: string[]) => {
  return (nar: Buffer) => execFileSync(program, ["-c", ...options], { input: nar, maxBuffer: MAX_BUFFER });
};
const itself = (nar: Buffer) => nar;
const SUBJECTS: readonly Subject[] = [
  { title: "none", compression: "none", make: itself },
  {
    title: "none, with a CA of SHA-256",
    compression: "none",
    make: itself,
    ca: (nar) => `fixed:r:sha256:${createHash("sha256").update(nar).digest("hex")}`,
  },
  {
    title: "none, with a CA of BLAKE3",
    compression: "none",
    make: itself,
    ca: () => `fixed:r:blake3:${"0".repeat(64)}`,
  },
  { title: "zstd", compression: "zstd", make: (nar) => zstdCompressSync(nar) },
  { title: "gzip", compression: "gzip", make: (nar) => gzipSync(nar) },
  {
    title: "br",
    compression: "br",
    make: (nar) => brotliCompressSync(nar, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  },
  { title: "xz", compression: "xz", make: command("xz", "-6", "-T0") },
  { title: "xz -9", compression: "xz", make: command("xz", "-9") },
  { title: "bzip2", compression: "bzip2", make: command("bzip2") },
];

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupt.abort(new Error(`stopped by ${signal}`)));
}
const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
const nar = dumpNar(TREE);
const rows: string[][] = [];
for (const subject of SUBJECTS) rows.push([subject.title, ...(await measure(subject))]);
console.log(
  `A NAR of ${(nar.length / MB).toFixed(0)} MB. MB unpacked in a second; MB of memory above the idle.\n`,
);
console.log(formatTable(["", "file, MB", "MB/s", "MB/s of processor time", "memory"], rows));

/** In a server of its own, so that no memory is left from before. */
async function measure(subject: Subject): Promise<string[]> {
  let file: Uint8Array;
  try {
    file = subject.make(nar);
  } catch (error) {
    return ["-", "-", "-", `not made: ${String(error).split("\n")[0]}`];
  }
  const server = await startServer(join(import.meta.dirname, "verify.toml"), dir, interrupt.signal);
  try {
    const url = `${server.url}/${encodeURIComponent(subject.title)}`;
    await fetch(url, { method: "PUT", body: new Blob([Uint8Array.from(file)]), signal: interrupt.signal });
    const ca = subject.ca?.(nar);
    const query = new URLSearchParams({
      compression: subject.compression,
      size: String(nar.length),
      ...(ca && { ca }),
    });
    const idle = residentMegabytes(server.group);
    let seconds = 0;
    let cpu = 0;
    const peak = await peakDuring(server.group, async () => {
      const before = cpuSeconds(server);
      const startedAt = performance.now();
      const answer = await (await fetch(`${url}?${query}`, { signal: interrupt.signal })).text();
      seconds = (performance.now() - startedAt) / 1000;
      cpu = cpuSeconds(server) - before;
      if (!answer.includes(`"narSize":${nar.length}`))
        throw new Error(`${subject.title}: ${answer.slice(0, 500)}`);
    });
    const rate = (time: number) => (nar.length / MB / time).toFixed(0);
    return [
      (file.length / MB).toFixed(0),
      rate(seconds),
      cpu > 0 ? rate(cpu) : "-",
      `+${Math.round(peak - idle)}`,
    ];
  } finally {
    await server.stop();
  }
}

function cpuSeconds(server: Server): number {
  return usageOf(server.group)?.cpuSeconds ?? 0;
}
