// The queue of NARs that are to be read, newest push first, worked off by the catalog's alarms.
import type { CatalogContext } from "../context.ts";
import { nextExpiry, resolveNext } from "../publish/resolve.ts";
import { purgingOnce } from "../purging-once.ts";
import { deferNar, newestQueued, oldestQueued, type QueuedNar } from "../rows/nars.ts";
import { type Progress, verifyNar } from "./verify.ts";

/** Milliseconds from a push to the reading of its NAR. While a push goes on, reading would only slow it down. */
export const VERIFY_DELAY_MS = 2000;
/** Milliseconds after which NARs are read although calls keep coming. */
const MAX_DELAY_MS = 20_000;
/** Milliseconds until the next look while calls keep coming. */
const BUSY_MS = 1000;
/**
 * NARs of one alarm, and bytes that are read of them (as their narinfos claim) after which it begins no further one: the
 * next alarm has an invocation with CPU time and subrequests of its own.
 */
const MAX_NARS = 50;
const MAX_BYTES = 16 * 1024 * 1024;
/** NARs that fail in one alarm before it gives up: then it is the bucket that fails, not the NARs. */
const MAX_FAILURES = 3;

/**
 * Reads queued NARs as far as one alarm gets, after intents of crashed publications have been resolved. When to go on, in
 * milliseconds since the epoch, if there is more. Throws the last error of a NAR when only NARs that fail are left; each
 * is then behind all others.
 */
export function verifyQueued(context: CatalogContext): Promise<number | undefined> {
  return purgingOnce(context, async (c) => {
    const more = (await resolveNext(c)) ? c.now() : undefined;
    const times = [more, await readQueued(c), nextExpiry(c)].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.max(Math.min(...times), c.now());
  });
}

async function readQueued(c: CatalogContext): Promise<number | undefined> {
  const oldest = oldestQueued(c);
  if (oldest === undefined) return undefined;
  const waited = c.now() - oldest;
  if (waited >= 0 && waited < VERIFY_DELAY_MS) return oldest + VERIFY_DELAY_MS;
  if (c.isBusy() && waited < MAX_DELAY_MS) return c.now() + BUSY_MS;
  const failures = new Map<string, unknown>();
  let bytes = MAX_BYTES;
  for (let count = 0; count < MAX_NARS && bytes > 0; count++) {
    const next = newestQueued(c);
    if (next === undefined) return undefined;
    if (failures.has(next.key)) throw failures.get(next.key);
    // One whose reading did not end before gets an alarm of its own.
    if (next.attempts > 0 && count > 0) break;
    const progress = await verifyOrDefer(c, next, bytes);
    if ("error" in progress) {
      failures.set(next.key, progress.error);
      if (failures.size === MAX_FAILURES) throw progress.error;
      continue;
    }
    bytes -= progress.bytes;
    if (!progress.isDone) break;
  }
  return newestQueued(c) === undefined ? undefined : c.now();
}

/** A NAR that fails is put behind the others, which it must not hold up. */
async function verifyOrDefer(
  c: CatalogContext,
  nar: QueuedNar,
  bytes: number,
): Promise<Progress | { readonly error: unknown }> {
  try {
    return await verifyNar(c, nar, bytes);
  } catch (error) {
    console.warn(`${nar.key} could not be verified`, error);
    c.unfinished.delete(nar.key);
    deferNar(c, nar.key);
    return { error };
  }
}
