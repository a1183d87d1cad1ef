// Verifies one NAR: it is read, and every path that has it gets what follows. A crash anywhere is harmless: the NAR stays
// queued until all of it is done, and doing it again changes nothing.
import { FormatError } from "../../nix/format-error.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext, Unfinished } from "../context.ts";
import { isOpen, MAX_READINGS, type Reading, type ReadingBudget, readContent } from "../facts/read.ts";
import { claimOf, verdictOf } from "../facts/verdict.ts";
import { pathsOfNar } from "../rows/nar-paths.ts";
import { dequeueNar, type QueuedNar } from "../rows/nar-queue.ts";
import { confirmPath, type MadeListing } from "./confirm.ts";
import { deleteUnusedNar, removeFalsePath } from "./remove.ts";

/** Paths with one NAR that are looked at together: thousands may share that of an empty directory. */
const PATHS_BATCH = 500;
/** False paths that go in one call, each with an operation of the bucket. */
const MAX_REMOVALS = 40;

export interface Progress {
  /** That were read, as the narinfos claim. */
  readonly bytes: number;
  /** Whether all paths are settled; otherwise the NAR stays queued, and the next call goes on. */
  readonly isDone: boolean;
}

/** What one call does at most, and what it has done. */
interface Call {
  readonly key: string;
  readonly budget: ReadingBudget;
  readonly made: MadeListing;
  removals: number;
  /** As in {@link Unfinished}. */
  after: string;
  lastFalsePush: number | undefined;
}

/** Begins no further reading after `maxBytes`. */
export async function verifyNar(c: CatalogContext, nar: QueuedNar, maxBytes: number): Promise<Progress> {
  const { key } = nar;
  const begun: Unfinished = c.unfinished.get(key) ?? { queued: nar.queued, after: "" };
  const budget = { readings: MAX_READINGS, bytes: maxBytes };
  const { after, lastFalsePush } = begun;
  const call: Call = { key, budget, made: {}, removals: 0, after, lastFalsePush };
  const isDone = await settlePaths(c, call);
  const bytes = maxBytes - budget.bytes;
  if (!isDone) {
    const last = call.lastFalsePush;
    c.unfinished.set(key, {
      ...{ queued: begun.queued, after: call.after },
      ...(last !== undefined && { lastFalsePush: last }),
    });
    return { bytes, isDone };
  }
  if (call.lastFalsePush !== undefined) await deleteUnusedNar(c, key, call.lastFalsePush);
  c.unfinished.delete(key);
  dequeueNar(c, key, begun.queued);
  return { bytes, isDone };
}

/** False where the call may do no more. */
async function settlePaths(c: CatalogContext, call: Call): Promise<boolean> {
  for (;;) {
    const rows = pathsOfNar(c, call.key, call.after, PATHS_BATCH);
    const last = rows.at(-1);
    if (last === undefined) return true;
    const paths = rows.flatMap(({ narinfo }) => infoOf(c, narinfo) ?? []);
    if (paths.length > 0) {
      const reading = await readContent(c, call.key, paths.map(claimOf), { budget: call.budget });
      // Without its object a check finds the paths.
      if (reading === undefined) return true;
      if (!(await settleBatch(c, call, paths, reading))) return false;
    }
    call.after = last.hash;
  }
}

/** False where one of the paths is not settled. False ones after it go all the same: each second counts. */
async function settleBatch(
  c: CatalogContext,
  call: Call,
  paths: readonly NarInfo[],
  reading: Reading,
): Promise<boolean> {
  let isSettled = true;
  for (const info of paths) {
    const claim = claimOf(info);
    const { hash } = info.storePath;
    if (verdictOf(reading.facts, claim).kind === "false") {
      if (call.removals === MAX_REMOVALS) return false;
      call.removals++;
      const push = await removeFalsePath(c, hash, call.key, { reading });
      if (push !== undefined) call.lastFalsePush = Math.max(push, call.lastFalsePush ?? 0);
    } else if (isOpen(reading.facts, claim)) isSettled = false;
    else if (isSettled) await confirmPath(c, info, reading.listing, call.made);
    if (isSettled) call.after = hash;
  }
  return isSettled;
}

/** `undefined` for a narinfo that this cache cannot read; a check reports it. */
function infoOf(c: CatalogContext, narinfo: string): NarInfo | undefined {
  try {
    return parseNarInfo(narinfo, c.config.storeDir);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
