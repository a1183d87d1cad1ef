// What both phases of a resign do around their work: begin again where the keys have changed, purge what was written.
import type { CatalogContext } from "../context.ts";
import type { ResignRun } from "./state.ts";

export async function publicKeys(c: CatalogContext): Promise<string[]> {
  return (await c.config.keys()).signing.map(({ publicText }) => publicText);
}

/** Begins again with the first phase where the keys have changed: what is done so far lacks a signature of these. */
export async function followKeys(c: CatalogContext, run: ResignRun): Promise<void> {
  const keys = await publicKeys(c);
  if (JSON.stringify(keys) === JSON.stringify(run.state.keys)) return;
  Object.assign(run.state, { keys, paths: 0, realisations: 0 });
  run.phase = "narinfos";
  run.checkpoint = "";
}

/** One purge for the whole step: the platform allows five a minute. */
export async function purgeResigned(c: CatalogContext, { state }: ResignRun): Promise<void> {
  if (state.unpurged.length > 0) await c.purge(state.unpurged);
  state.unpurged = [];
}
