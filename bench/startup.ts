// The cost of a Worker before its first request: the size of its bundle, and its startup time.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const WRANGLER = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");
/** The profiler's own entries: waiting, and time outside JavaScript (the start of the runtime itself). */
const OUTSIDE = new Set(["(idle)", "(program)"]);

export interface Startup {
  readonly bundleBytes: number;
  readonly gzipBytes: number;
  /** Milliseconds in JavaScript until the Worker is ready: its own, and the runtime's for it. */
  readonly cpuMs: number;
}

/** A part of the output of V8's sampling profiler; times in microseconds. */
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Bundles the Worker of `project` as for a deployment, and starts it once under the profiler; writes to `dir`. */
export async function startupOf(project: string, dir: string): Promise<Startup> {
  const out = join(dir, "bundle");
  const file = join(dir, "startup.cpuprofile");
  await wrangler("deploy", "--dry-run", "--outdir", out);
  const bundle = await readFile(join(out, "index.js"));
  await wrangler("check", "startup", "--outfile", file);
  const { nodes, samples, timeDeltas } = JSON.parse(await readFile(file, "utf8")) as Profile;
  const outside = new Set(
    nodes.filter(({ callFrame }) => OUTSIDE.has(callFrame.functionName)).map(({ id }) => id),
  );
  const micros = samples.reduce(
    (sum, node, index) => sum + (outside.has(node) ? 0 : (timeDeltas[index] ?? 0)),
    0,
  );
  return {
    bundleBytes: bundle.length,
    gzipBytes: gzipSync(bundle).length,
    cpuMs: micros / 1000,
  };

  async function wrangler(...args: string[]): Promise<void> {
    const env = {
      ...process.env,
      CI: "1",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(dir, "logs"),
    };
    await promisify(execFile)(process.execPath, [WRANGLER, ...args], { cwd: project, env });
  }
}
