// The daemon: takes notes into the queue, pushes in batches, tries again later what has failed, and drains when it is to
// end.
import { watch } from "node:fs";
import { Failure, lineOf } from "../ground/failure.ts";
import { openQueue, type Queue } from "./queue.ts";
import { wakeOnConnection } from "./wake.ts";

/**
 * Pushes these paths with their closures and resolves to those that failed; paths that are no longer in the store are not
 * among them. Rejects where none could be pushed.
 */
export type PushBatch = (paths: readonly string[]) => Promise<readonly string[]>;

export interface Serving {
  readonly dir: string;
  readonly push: PushBatch;
  /** Asks it to drain and end. */
  readonly stop: AbortSignal;
  readonly say: (line: string) => void;
  /** A socket to listen on in the place of systemd's. */
  readonly socket?: string | undefined;
  /** Ends when it has had nothing to do for so long. */
  readonly idleExitMs?: number | undefined;
}

/** How many paths are left in the queue. */
export interface Served {
  readonly left: number;
}

const BATCH_PATHS = 100;
/** Without a word from the directory's watcher, as on network file systems. */
const POLL_MS = 15_000;
/** So that builds which end together are pushed together. */
const GATHER_MS = 200;

/** Runs until it is asked to stop, or is idle for long enough. Throws {@link Failure} where another one serves `dir`. */
export async function serve(serving: Serving): Promise<Served> {
  const { dir, stop, idleExitMs } = serving;
  const queue = openQueue(dir, Date.now, serving.say);
  const alarm = new Alarm();
  const watcher = watch(dir, (_, name) => {
    if (name?.startsWith("note-")) alarm.ring();
  });
  watcher.on("error", () => undefined);
  const closeSocket = await wakeOnConnection(serving.socket, () => alarm.ring());
  const onStop = () => alarm.ring();
  stop.addEventListener("abort", onStop);
  try {
    let idleSince = Date.now();
    while (!stop.aborted) {
      queue.takeNotes();
      const due = queue.due(BATCH_PATHS);
      if (due.length > 0) {
        await pushBatch(queue, due, serving);
        idleSince = Date.now();
        continue;
      }
      const idleMs = Date.now() - idleSince;
      if (idleExitMs !== undefined && idleMs >= idleExitMs && queue.size() === 0) break;
      const untilExit = idleExitMs === undefined || queue.size() > 0 ? POLL_MS : idleExitMs - idleMs;
      const isRung = await alarm.within(Math.min(POLL_MS, queue.nextDueMs() ?? POLL_MS, untilExit));
      if (isRung && !stop.aborted) await alarm.within(GATHER_MS);
    }
    if (stop.aborted) await drain(queue, serving);
    return { left: queue.size() };
  } finally {
    stop.removeEventListener("abort", onStop);
    watcher.close();
    closeSocket();
    queue.close();
  }
}

/** One attempt for all that is noted, also where an earlier one has failed; the first that fails as a whole is the last. */
async function drain(queue: Queue, serving: Serving): Promise<void> {
  queue.takeNotes();
  const all = queue.due(queue.size(), true);
  for (let start = 0; start < all.length; start += BATCH_PATHS) {
    const batch = all.slice(start, start + BATCH_PATHS);
    if (!(await pushBatch(queue, batch, serving))) break;
  }
}

/** Resolves to whether the cache could be pushed to. */
async function pushBatch(queue: Queue, batch: readonly string[], { push, say }: Serving): Promise<boolean> {
  const { failed, error } = await attempt(push, batch);
  if (error !== undefined) say(lineOf(error));
  const isFailed = new Set(failed);
  queue.remove(batch.filter((path) => !isFailed.has(path)));
  const given = queue.failed([...isFailed], isOutage(error));
  const later = isFailed.size - given.length;
  if (later > 0) say(`${later} of ${batch.length} paths were not pushed and are tried again later`);
  for (const path of given) say(`${path} was not pushed in many attempts and is left out`);
  return error === undefined;
}

interface Attempt {
  readonly failed: readonly string[];
  /** Where all failed, for one reason. */
  readonly error?: unknown;
}

async function attempt(push: PushBatch, paths: readonly string[]): Promise<Attempt> {
  try {
    return { failed: await push(paths) };
  } catch (error) {
    return { failed: paths, error };
  }
}

const NO_PERMISSION = [401, 403];

/** Whether it says nothing of the paths: the cache is down, the token has ended, or the settings are wrong. */
function isOutage(error: unknown): boolean {
  if (!(error instanceof Failure)) return false;
  return ["network", "usage"].includes(error.kind) || NO_PERMISSION.includes(error.status ?? 0);
}

/** A bell; a ring is remembered until the next wait. */
class Alarm {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Waits until it rings, for so long at most; resolves to whether it has. */
  async within(ms: number): Promise<boolean> {
    if (!this.#isRung) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, ms);
        this.#wake = () => {
          clearTimeout(timer);
          done();
        };
      });
      this.#wake = undefined;
    }
    const isRung = this.#isRung;
    this.#isRung = false;
    return isRung;
  }
}
