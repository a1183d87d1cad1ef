// Resign: every narinfo of the catalog gets the signatures of the keys that are configured now, after SIGNING_KEY has
// changed. It walks the rows and not the bucket: what has all its signatures costs nothing.
import { allProblems } from "../../config/config.ts";
import type { PhaseOf, ResignOptions, ResignReport } from "../../contract/runs.ts";
import { HttpError } from "../../http/errors.ts";
import type { CatalogContext } from "../context.ts";
import { signerOf } from "../publish/signatures.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { findingsOf } from "../rows/findings.ts";
import type { Step } from "../runs/engine.ts";
import { BLOCKED, loadRun, progress, type Run, saveRun, startRun } from "../runs/runs.ts";
import { doItems, type Item } from "../scan/items.ts";
import { LAST } from "../scan/pages.ts";
import { COST, resigned, resigningOf, resignPath } from "./path.ts";

/** Paths that one step looks at. Each is signed with each key, which takes some 0.1 ms. */
const BATCH = 500;
/** Looking at them takes as long as so many bucket operations. */
const BATCH_COST = 10;
/** Paths passed by that a report names. */
const MAX_NAMED = 20;

/** `undefined` where none has been asked for yet. */
export function resignReport(c: CatalogContext): ResignReport | undefined {
  const run = loadRun(c, "resign");
  if (run?.resigning === undefined) return undefined;
  const { drop, keys, paths, resigned } = run.resigning;
  const unreadable = findingsOf(c, "resign", "unreadable-narinfo", MAX_NAMED);
  return { ...progress(run), drop, keys: keys.map(signerOf), paths, resigned, unreadable };
}

/**
 * Begins a resign, or gives the one under way. Throws {@link HttpError} 403 while the configuration has a mistake, 409
 * where there is nothing to do.
 */
export async function requestResign(c: CatalogContext, options: ResignOptions): Promise<Run> {
  const current = loadRun(c, "resign");
  const underWay = current?.finished === undefined ? current?.resigning : undefined;
  const { restart = false } = options;
  // Absent is not none: asking again without it goes on with what is under way.
  const { drop = (restart ? undefined : underWay?.drop) ?? null } = options;
  const [problem] = await allProblems(c.config);
  if (problem !== undefined) {
    throw new HttpError(403, `nothing is signed until the configuration is mended: ${problem}`);
  }
  const keys = await publicKeys(c);
  if (drop !== null && keys.map(signerOf).includes(drop)) {
    throw new HttpError(
      409,
      `${drop} signs for this cache; take it out of SIGNING_KEY before its signatures`,
    );
  }
  if (drop === null && keys.length === 0) {
    throw new HttpError(
      409,
      "no key signs for this cache; set one with 'npx wrangler secret put SIGNING_KEY'",
    );
  }
  if (current !== undefined && underWay?.drop === drop && !restart) return current;
  // Of the one that this replaces.
  const { unpurged = [] } = current?.resigning ?? {};
  return startRun(c, "resign", false, { resigning: { drop, keys, paths: 0, resigned: 0, unpurged } });
}

export const RESIGN_STEPS: Record<PhaseOf<"resign">, Step> = { narinfos: resignNarInfos };

async function resignNarInfos(c: CatalogContext, run: Run): Promise<number> {
  const resigning = resigningOf(run);
  if (!isIndexed(c)) {
    // What the catalog does not know would keep its signatures. The reindex is done first; then this goes on.
    const reindex = loadRun(c, "reindex");
    if (reindex === undefined || reindex.finished !== undefined) startRun(c, "reindex", false);
    return BLOCKED;
  }
  const keys = await publicKeys(c);
  if (JSON.stringify(keys) !== JSON.stringify(resigning.keys)) {
    // What is done already has other signatures than these.
    Object.assign(resigning, { keys, paths: 0 });
    run.checkpoint = "";
  }
  const rows = c.sql
    .exec<{ hash: string; narinfo: string }>(
      "SELECT hash, narinfo FROM paths WHERE hash > ? ORDER BY hash LIMIT ?",
      run.checkpoint,
      BATCH,
    )
    .toArray();
  const items: Item[] = [];
  for (const { hash, narinfo } of rows) {
    if ((await resigned(c, narinfo, resigning.drop)) === narinfo) continue;
    items.push({ key: hash, cost: COST, work: () => resignPath(c, run, hash) });
  }
  const end = rows.length < BATCH ? LAST : (rows.at(-1)?.hash ?? LAST);
  const { done, cost } = await doItems(c, run, items, end);
  // Once for all of the step: the platform takes five purges a minute.
  const { unpurged = [] } = resigning;
  if (unpurged.length > 0) await c.purge(unpurged.map((hash) => `/${hash}.narinfo`));
  resigning.unpurged = [];
  resigning.paths += rows.filter(({ hash }) => hash <= done).length;
  saveRun(c, run);
  return cost + BATCH_COST;
}

async function publicKeys(c: CatalogContext): Promise<string[]> {
  return (await c.config.keys()).signing.map(({ publicText }) => publicText);
}
