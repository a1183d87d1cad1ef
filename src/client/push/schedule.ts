// The order of a push: NARs by several jobs at once, and each path is handed on to be published after its references.
import { Failure, lineOf } from "../ground/failure.ts";
import type { PathInfo } from "../store/path-info.ts";

export interface Work<T> {
  /** Uploads the NAR of a path and what goes with it. */
  upload(info: PathInfo): Promise<T>;
  /** Makes the path visible. It has been called for its references, which need not be there yet. */
  publish(info: PathInfo, uploaded: T): Promise<void>;
  onFailure?(failed: FailedPath): void;
}

/** A path that has been handed to `publish`. */
interface Begun {
  readonly published: Promise<void>;
}

export interface FailedPath {
  readonly path: string;
  readonly reason: string;
  readonly error: unknown;
}

export interface Outcome {
  readonly pushed: readonly string[];
  readonly failed: readonly FailedPath[];
}

/** Paths in a row without an answer from the cache, after which the rest is not tried. */
const SILENT_PATHS = 3;
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;

/** `sorted` has references before what refers to them; a reference that is not in it is there already. */
export async function pushAll<T>(sorted: readonly PathInfo[], jobs: number, work: Work<T>): Promise<Outcome> {
  const begun = new Map<string, Promise<Begun | undefined>>();
  const pushed: string[] = [];
  const failed: FailedPath[] = [];
  const starting = slots(jobs);
  let silent = 0;
  let fatal: unknown;

  for (const info of sorted) begun.set(info.path, begin(info));
  await Promise.all(sorted.map(end));
  return { pushed, failed };

  /** `undefined` where the path cannot be published. */
  async function begin(info: PathInfo): Promise<Begun | undefined> {
    // Of those before it in the order: the source of an import may claim a cycle.
    const references = info.references.filter((reference) => begun.has(reference));
    try {
      const uploaded = await starting(async () => {
        if (fatal !== undefined) throw fatal;
        return work.upload(info);
      }).catch((error: unknown) => {
        // A token that may not send this NAR may send none; a narinfo may be refused for its signatures.
        if (error instanceof Failure && error.status === FORBIDDEN) fatal ??= error;
        throw error;
      });
      for (const reference of references) {
        if ((await begun.get(reference)) === undefined) throw lostReference(reference);
      }
      const published = work.publish(info, uploaded);
      // Its failure shows at the end.
      published.catch(() => undefined);
      return { published };
    } catch (error) {
      fail(info, error);
      return undefined;
    }
  }

  async function end(info: PathInfo): Promise<void> {
    const own = await begun.get(info.path);
    if (own === undefined) return;
    try {
      await own.published;
      silent = 0;
      pushed.push(info.path);
    } catch (error) {
      fail(info, error);
    }
  }

  function fail({ path }: PathInfo, error: unknown): void {
    note(error);
    const failure = { path, reason: lineOf(error), error };
    failed.push(failure);
    if (error !== fatal) work.onFailure?.(failure);
  }

  /** A wrong token is wrong for all paths, and so is a cache that is not there. */
  function note(error: unknown): void {
    if (!(error instanceof Failure) || fatal !== undefined) return;
    if (error.kind === "network") silent += 1;
    if (error.status === UNAUTHORIZED || silent >= SILENT_PATHS) fatal = error;
  }
}

export function lostReference(reference: string): Failure {
  return new Failure("failed", `refers to ${reference}, which could not be pushed`);
}

/** Runs at most `count` tasks at once, in the order of their calls. */
export function slots(count: number): <T>(task: () => Promise<T>) => Promise<T> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
