// A real Nix's verdicts on many narinfos at once: a file cache has them all, and Nix plans to fetch every path.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mutant } from "./mutants.ts";
import { type Client, newClient, nixAtLeast, scratchDir } from "./nix.ts";

const STORE = "/nix/store";

/** Nix's reading, as in its `path-info --json`. */
export interface Understood {
  readonly narHash: string;
  readonly narSize: number;
  /** Full paths. */
  readonly references: readonly string[];
  readonly deriver?: string | null;
  readonly signatures?: readonly string[];
  readonly ca?: string | null;
  readonly url: string;
  readonly downloadSize?: number;
}

export type Verdict = "accepts" | "refuses" | "crashes";

export interface NixCache {
  readonly verdictOf: (mutant: Mutant) => Verdict;
  /** Only of what is accepted. */
  readonly understood: (mutants: readonly Mutant[]) => Promise<ReadonlyMap<string, Understood>>;
}

/** Puts the mutants into a file cache and shows it to Nix. */
export async function showToNix(mutants: readonly Mutant[]): Promise<NixCache> {
  const dir = join(scratchDir(), "cache");
  mkdirSync(dir);
  writeFileSync(join(dir, "nix-cache-info"), `StoreDir: ${STORE}\n`);
  for (const { hash, text } of mutants) writeFileSync(join(dir, `${hash}.narinfo`), text);
  const cache = `file://${dir}`;
  // With `fallback` a narinfo that cannot be read is a warning, and the other paths go on.
  const client = newClient({ conf: ["require-sigs = false", "fallback = true"] });
  const verdicts = new Map<string, Verdict>();
  await judge(client, cache, mutants, verdicts);
  return {
    verdictOf: ({ hash }) => {
      const verdict = verdicts.get(hash);
      if (verdict === undefined) throw new Error(`Nix has said nothing of ${hash}`);
      return verdict;
    },
    understood: (some) => understood(client, cache, some),
  };
}

async function judge(
  client: Client,
  cache: string,
  mutants: readonly Mutant[],
  verdicts: Map<string, Verdict>,
): Promise<void> {
  const plan = ["build", "--dry-run", "--no-link", "--option", "substituters", cache];
  const { code, stderr } = await client.run(
    ...plan,
    ...mutants.map(({ baseName }) => `${STORE}/${baseName}`),
  );
  const [before = "", unknown = ""] = stderr.split("don't know how to build these paths");
  const [, fetched = ""] = before.split(" will be fetched");
  const isIn = (list: string, { baseName }: Mutant) => list.includes(`\n  ${STORE}/${baseName}\n`);
  if (mutants.every((mutant) => isIn(fetched, mutant) !== isIn(unknown, mutant))) {
    for (const mutant of mutants) verdicts.set(mutant.hash, isIn(fetched, mutant) ? "accepts" : "refuses");
    return;
  }
  // One of them has crashed it: find out which.
  const [only, ...others] = mutants;
  if (only !== undefined && others.length === 0) {
    if (code === 0) throw new Error(`what Nix says is not understood:\n${stderr}`);
    verdicts.set(only.hash, "crashes");
    return;
  }
  const half = Math.ceil(mutants.length / 2);
  await judge(client, cache, mutants.slice(0, half), verdicts);
  await judge(client, cache, mutants.slice(half), verdicts);
}

async function understood(
  client: Client,
  cache: string,
  mutants: readonly Mutant[],
): Promise<ReadonlyMap<string, Understood>> {
  const paths = mutants.map(({ baseName }) => `${STORE}/${baseName}`);
  const format = nixAtLeast(2, 34) ? ["--json-format", "1"] : [];
  const text = await client.nix("path-info", "--json", ...format, "--store", cache, ...paths);
  const parsed: (Understood & { path: string })[] | Record<string, Understood> = JSON.parse(text);
  // Up to 2.18 a list, then a table.
  const entries = Array.isArray(parsed)
    ? parsed.map((each) => [each.path, each] as const)
    : Object.entries(parsed);
  return new Map(entries.map(([path, info]) => [path.slice(`${STORE}/`.length).slice(0, 32), info]));
}
