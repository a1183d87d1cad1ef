// The order of a push: NARs by several jobs at once, and each narinfo as soon as its references are there.
import { Failure, lineOf } from "../ground/failure.ts";
import type { PathInfo } from "../store/path-info.ts";

export interface Work<T> {
  /** Uploads the NAR of a path and what goes with it. */
  upload(info: PathInfo): Promise<T>;
  /** Makes the path visible. Its references are there. */
  publish(info: PathInfo, uploaded: T): Promise<void>;
  onFailure?(failed: FailedPath): void;
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
  const published = new Map<string, Promise<boolean>>();
  const pushed: string[] = [];
  const failed: FailedPath[] = [];
  const starting = slots(jobs);
  let silent = 0;
  let fatal: unknown;

  for (const info of sorted) published.set(info.path, pushOne(info));
  await Promise.all(published.values());
  return { pushed, failed };

  /** Resolves to whether the path is there. */
  async function pushOne(info: PathInfo): Promise<boolean> {
    try {
      const uploaded = await starting(async () => {
        if (fatal !== undefined) throw fatal;
        return work.upload(info);
      }).catch((error: unknown) => {
        // A token that may not send this NAR may send none; a narinfo may be refused for its signatures.
        if (error instanceof Failure && error.status === FORBIDDEN) fatal ??= error;
        throw error;
      });
      for (const reference of info.references) {
        if (reference === info.path || (await (published.get(reference) ?? true))) continue;
        throw new Failure("failed", `refers to ${reference}, which could not be pushed`);
      }
      await work.publish(info, uploaded);
      silent = 0;
      pushed.push(info.path);
      return true;
    } catch (error) {
      note(error);
      const failure = { path: info.path, reason: lineOf(error), error };
      failed.push(failure);
      if (error !== fatal) work.onFailure?.(failure);
      return false;
    }
  }

  /** A wrong token is wrong for all paths, and so is a cache that is not there. */
  function note(error: unknown): void {
    if (!(error instanceof Failure) || fatal !== undefined) return;
    if (error.kind === "network") silent += 1;
    if (error.status === UNAUTHORIZED || silent >= SILENT_PATHS) fatal = error;
  }
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
