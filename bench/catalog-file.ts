// The files of a local server whose catalog has many made-up paths: built once for each size and layout, in a folder
// that git ignores, and copied for each measurement.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { startServer } from "./server.ts";

const ROOT = resolve(import.meta.dirname, "..");
/** Ignored by git. */
export const BUILT = join(ROOT, ".wrangler/bench");
export const CONFIG = join(import.meta.dirname, "catalog.toml");
/** What the rows follow from. */
const SOURCES = [
  ...["src/catalog/schema.ts", "src/catalog/rows/index-path.ts", "src/catalog/rows/paths.ts"],
  ...["bench/catalog-graph.ts", "bench/catalog-rows.ts", "bench/catalog-old.ts", "bench/narinfo.ts"],
];

export interface Plan {
  readonly paths: number;
  /** An earlier version of the schema; absent: that of now. */
  readonly version?: number;
  readonly variables: Readonly<Record<string, string>>;
}

/** Puts the files of such a server into `dir`. */
export async function copyCatalog(plan: Plan, dir: string, signal: AbortSignal): Promise<void> {
  const built = await builtCatalog(plan, signal);
  await cp(join(built, "state"), join(dir, "state"), { recursive: true, mode: constants.COPYFILE_FICLONE });
}

async function builtCatalog({ paths, version, variables }: Plan, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for (const source of SOURCES) hash.update(await readFile(join(ROOT, source)));
  // A collection goes on only if the last one was less than three days ago.
  const name = `${paths}-${version ?? "now"}-${hash.digest("hex").slice(0, 12)}-${new Date().toISOString().slice(0, 10)}`;
  const built = join(BUILT, name);
  if (existsSync(built)) return built;
  const unfinished = `${built}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  // The server makes the file of an empty catalog, as it wants it.
  const server = await startServer(CONFIG, unfinished, signal, variables);
  try {
    const answer = await fetch(`${server.url}/api/v1/missing`, { method: "POST", body: '{"paths":[]}' });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  } finally {
    await server.stop();
  }
  const folder = join(unfinished, "state/v3/do/nix-cache-catalog-bench-MeasuredCatalog");
  const files = (await readdir(folder)).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
  const [file] = files;
  if (file === undefined || files.length > 1)
    throw new Error(`${folder} has ${files.length} catalogs, not 1`);
  const began = performance.now();
  const fill = [join(import.meta.dirname, "catalog-fill.ts"), join(folder, file), String(paths)];
  await promisify(execFile)(
    process.execPath,
    [...fill, ...(version === undefined ? [] : [String(version)])],
    { signal },
  );
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const { size } = await stat(join(folder, file));
  console.log(
    `Built in ${seconds} s: ${paths.toLocaleString("en")} paths in the tables of ${version === undefined ? "now" : `version ${version}`}, ${(size / 1e6).toFixed(0)} MB, ${(size / paths).toFixed(0)} bytes each.`,
  );
  await rename(unfinished, built);
  return built;
}
