// Resign: every narinfo of the catalog gets the signatures of the keys that are configured now, after SIGNING_KEY has
// changed. It walks the rows and not the bucket: what has all its signatures costs nothing.
//
// Each narinfo is written like a publication of it: under the path's lock, with an intention, over nothing but what the
// catalog knows, purged from the edge. So a push or a deletion comes before or after it. It is nobody's push: when a
// path was pushed and by whom, and when it was last wanted, stays as it is.
import { allProblems } from "../config.ts";
import { HttpError } from "../http/errors.ts";
import { FormatError } from "../nix/format-error.ts";
import { parseNarInfo } from "../nix/narinfo.ts";
import type { CatalogContext } from "./context.ts";
import { type Findings, findingsOf, note } from "./findings.ts";
import { isIndexed } from "./indexed.ts";
import { indexPath, isIncomplete, referencesOf, signersOf } from "./paths.ts";
import { settleKey } from "./pending.ts";
import { inspectPublished } from "./published.ts";
import { loadRun, type PhaseOf, type Progress, progress, type Run, saveRun, startRun } from "./runs.ts";
import { doItems, type Item, LAST, MAX_OPERATIONS } from "./scan.ts";
import { signerOf, textOf, withSignatures } from "./signatures.ts";
import type { Step } from "./steps.ts";
import { publishing, writeNarInfo } from "./write-narinfo.ts";

/** Paths that one step looks at. Each is signed with each key, which takes some 0.1 ms. */
const BATCH = 500;
/** Bucket operations for one narinfo: a write, or two and a look where the catalog did not know what is there. */
const COST = 3;
/** How often the bucket may hold something else than the catalog knows, before the path is passed by. */
const MAX_ATTEMPTS = 2;
/** Paths passed by that a report names. */
const MAX_NAMED = 20;

export interface ResignOptions {
  /** The name of a key whose signatures go; one under way that does otherwise is begun again. */
  readonly drop?: string;
  /** Begin again from the start although one is under way. */
  readonly restart?: boolean;
}

/** What a resign keeps between its steps. */
export interface Resigning {
  readonly drop: string | null;
  /** The keys with which it signs, as public keys: with others it begins again. */
  keys: readonly string[];
  /** Paths looked at so far. */
  paths: number;
  /** Narinfos written so far. */
  resigned: number;
}

/** As it goes to the client. */
export interface ResignReport extends Progress {
  readonly drop: string | null;
  /** Names of the keys with which it signs. */
  readonly keys: readonly string[];
  readonly paths: number;
  readonly resigned: number;
  /** Paths passed by, and why. */
  readonly unreadable: Findings;
}

/** `undefined` where none has been asked for yet. */
export function resignReport(c: CatalogContext): ResignReport | undefined {
  const run = loadRun(c, "resign");
  if (run?.resigning === undefined) return undefined;
  const { keys, ...rest } = run.resigning;
  const unreadable = findingsOf(c, "resign", "unreadable-narinfo", MAX_NAMED);
  return { ...progress(run), ...rest, keys: keys.map(signerOf), unreadable };
}

/**
 * Begins a resign, or gives the one under way. Throws {@link HttpError} 403 while the configuration has a mistake, 409
 * where there is nothing to do.
 */
export async function requestResign(c: CatalogContext, options: ResignOptions): Promise<Run> {
  const current = loadRun(c, "resign");
  const underWay = current?.finished === undefined ? current?.resigning : undefined;
  // Absent is not none: asking again without it goes on with what is under way.
  const { drop = underWay?.drop ?? null, restart = false } = options;
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
  return startRun(c, "resign", false, { resigning: { drop, keys, paths: 0, resigned: 0 } });
}

export const RESIGN_STEPS: Record<PhaseOf<"resign">, Step> = { narinfos: resignNarInfos };

async function resignNarInfos(c: CatalogContext, run: Run): Promise<number> {
  const resigning = resigningOf(run);
  if (!isIndexed(c)) {
    // What the catalog does not know would keep its signatures. The reindex is done first; then this goes on.
    const reindex = loadRun(c, "reindex");
    if (reindex === undefined || reindex.finished !== undefined) startRun(c, "reindex", false);
    return MAX_OPERATIONS;
  }
  const keys = await publicKeys(c);
  if (JSON.stringify(keys) !== JSON.stringify(resigning.keys)) {
    // What is done already has other signatures than these.
    Object.assign(resigning, { keys, paths: 0 });
    run.after = "";
  }
  const rows = c.sql
    .exec<{ hash: string; narinfo: string }>(
      "SELECT hash, narinfo FROM paths WHERE hash > ? ORDER BY hash LIMIT ?",
      run.after,
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
  resigning.paths += rows.filter(({ hash }) => hash <= done).length;
  saveRun(c, run);
  return cost;
}

function resignPath(c: CatalogContext, run: Run, hash: string): Promise<void> {
  return c.locks.run(hash, async () => {
    await settleKey(c, hash);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const row = signedRow(c, hash);
      // Deleted since the step began.
      if (row === undefined) return;
      const text = await resigned(c, row.narinfo, resigningOf(run).drop);
      // Pushed since, with the keys of now.
      if (text === row.narinfo) return;
      if (text === undefined) break;
      if (await rewrite(c, run, row, text)) return;
      const found = await inspectPublished(c, hash);
      // Gone or damaged, which a check mends.
      if (found === undefined || "unreadable" in found) break;
      c.transaction(() => indexPath(c, { ...found, isIncomplete: isIncomplete(c, found.info) }));
    }
    const why = "cannot be read, is gone or changing, or would be too large; POST /api/v1/check says more";
    note(c, "resign", "unreadable-narinfo", hash, why);
  });
}

interface SignedRow extends Record<string, SqlStorageValue> {
  hash: string;
  nar: string;
  narinfo: string;
  etag: string;
  first_push: number;
  last_push: number;
  pushed_by: string;
}

function signedRow(c: CatalogContext, hash: string): SignedRow | undefined {
  return c.sql
    .exec<SignedRow>(
      "SELECT hash, nar, narinfo, etag, first_push, last_push, pushed_by FROM paths WHERE hash = ?",
      hash,
    )
    .toArray()[0];
}

/** False where the bucket holds something else than the row says. */
function rewrite(c: CatalogContext, run: Run, row: SignedRow, text: string): Promise<boolean> {
  const { hash } = row;
  return publishing(c, hash, { nars: [row.nar], references: referencesOf(c, hash) }, async (publication) => {
    const push = { pushedBy: row.pushed_by, firstPush: row.first_push, lastPush: row.last_push };
    const stored = { text: row.narinfo, etag: row.etag };
    const written = await writeNarInfo(c, publication, hash, text, stored, push);
    if (written === undefined) return false;
    c.transaction(() => {
      c.sql.exec(
        "UPDATE paths SET narinfo = ?, etag = ?, signers = ? WHERE hash = ?",
        text,
        written.etag,
        signersOf(parseNarInfo(text, c.config.storeDir)),
        hash,
      );
      resigningOf(run).resigned++;
      saveRun(c, run);
    });
    await c.purge([`/${hash}.narinfo`]);
    publication.mayArrive = false;
    return true;
  });
}

/**
 * A narinfo with the signatures that it should have: the same text where it has them. `undefined` where that cannot be:
 * nobody can read it, or it would be too large.
 */
async function resigned(c: CatalogContext, text: string, drop: string | null): Promise<string | undefined> {
  try {
    const info = parseNarInfo(text, c.config.storeDir);
    const kept = info.signatures.filter((signature) => signerOf(signature) !== drop);
    const { signatures } = await withSignatures(c, { ...info, signatures: kept });
    // Another order is no reason to write, nor is another form of the rest.
    if ([...signatures].sort().join() === [...info.signatures].sort().join()) return text;
    return textOf({ ...info, signatures });
  } catch (error) {
    if (error instanceof FormatError || error instanceof HttpError) return undefined;
    throw error;
  }
}

async function publicKeys(c: CatalogContext): Promise<string[]> {
  return (await c.config.keys()).signing.map(({ publicText }) => publicText);
}

function resigningOf({ resigning }: Run): Resigning {
  if (resigning === undefined) throw new Error("a resign without its state");
  return resigning;
}
