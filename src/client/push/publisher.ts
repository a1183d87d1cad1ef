// Makes paths visible: as many as are ready with one request.
import { setTimeout } from "node:timers/promises";
import type { PublishedPath } from "../../contract/publishing.ts";
import { Failure } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";
import { backoffMs, DEFAULT_RETRIES, isPassing } from "../http/retry.ts";
import { publishAlone, publishTogether, type ReadyPath } from "./publication.ts";
import { lostReference } from "./schedule.ts";

/**
 * Resolves when the path is visible. It may be called for a path as soon as it has been called for its references. Throws
 * {@link Failure}.
 */
export type Publish = (path: ReadyPath) => Promise<void>;

interface Waiting extends ReadyPath {
  /** Those that were its own, and not those of paths before it in a request. */
  attempts: number;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

interface Again {
  readonly paths: readonly Waiting[];
  readonly delayMs: number;
}

/** The cache's limit for one request. */
const MAX_PATHS = 50;
/** Requests at once; and of one path each, to an older Worker. */
const MAX_REQUESTS = 2;
const MAX_SINGLE_REQUESTS = 16;
/** Paths that are worth a second request beside the first: the longer it waits, the more it takes. */
const MIN_PATHS = 16;
/** Characters of narinfos and listings in a request of several paths, whose JSON is to stay below the cache's 4 MiB. */
const MAX_LENGTH = 1024 * 1024;
/** Single paths in a row without an answer, after which nothing more is sent. */
const MAX_SILENT = 3;
const UNAUTHORIZED = 401;
const CONFLICT = 409;
const TOO_LARGE = 413;
/** How a Worker answers that is older than this client. */
const UNKNOWN = [404, 405];

/** `pause` waits for milliseconds. */
export function publisher(
  cache: Cache,
  warn: (line: string) => void,
  pause: (ms: number) => Promise<unknown> = setTimeout,
): Publish {
  // References before what refers to them.
  let queue: Waiting[] = [];
  /** Under way, or waiting to be sent again. */
  const sent = new Set<string>();
  /** Those of the queue that wait for one of these. */
  const blocked = new Set<string>();
  const failed = new Set<string>();
  let requests = 0;
  let isOld = false;
  /** Paths in the next request, and to how many they may grow while requests succeed. */
  let most = MAX_PATHS;
  let ceiling = MAX_PATHS;
  let silent = 0;
  /** Why nothing more is sent. */
  let lost: unknown;

  return (ready) =>
    new Promise<void>((done, fail) => {
      const references = ready.references.filter((reference) => reference !== ready.path);
      const waiting = { ...ready, references, attempts: 0, done, fail };
      if (isHopeless(waiting)) return;
      queue.push(waiting);
      if (isBlocked(waiting)) blocked.add(waiting.path);
      else sendMore();
    });

  function sendMore(): void {
    while (requests < (isOld ? MAX_SINGLE_REQUESTS : MAX_REQUESTS)) {
      const next = take();
      if (next.length === 0 || (requests > 0 && next.length < Math.min(MIN_PATHS, most))) return;
      const taken = new Set(next);
      queue = queue.filter((waiting) => !taken.has(waiting));
      for (const { path } of next) sent.add(path);
      requests += 1;
      void send(next);
    }
  }

  /** The next whose references are visible, or will be when the request comes to them. */
  function take(): Waiting[] {
    const taken: Waiting[] = [];
    let length = 0;
    blocked.clear();
    for (const waiting of queue) {
      const { path, narinfo, listing = "" } = waiting;
      if (isBlocked(waiting)) {
        blocked.add(path);
        continue;
      }
      length += narinfo.length + listing.length;
      if (taken.length === most || (taken.length > 0 && length > MAX_LENGTH)) break;
      taken.push(waiting);
    }
    return taken;
  }

  function isBlocked({ references }: Waiting): boolean {
    return references.some((reference) => sent.has(reference) || blocked.has(reference));
  }

  /** Never rejects. */
  async function send(paths: readonly Waiting[]): Promise<void> {
    const again = await attempt(paths);
    requests -= 1;
    for (const { path } of paths) sent.delete(path);
    for (const { path } of again.paths) sent.add(path);
    goOn();
    if (again.paths.length === 0) return;
    await pause(again.delayMs);
    for (const { path } of again.paths) sent.delete(path);
    queue = [...again.paths, ...queue];
    goOn();
  }

  function goOn(): void {
    queue = queue.filter((waiting) => !isHopeless(waiting));
    sendMore();
  }

  async function attempt(paths: readonly Waiting[]): Promise<Again> {
    try {
      const [only] = paths;
      const answers =
        isOld && only !== undefined
          ? [await publishAlone(cache, only, warn)]
          : await publishTogether(cache, paths);
      silent = 0;
      most = Math.min(2 * most, ceiling);
      return settle(paths, answers);
    } catch (error) {
      return unanswered(paths, error);
    }
  }

  /** Those that are to be sent again, after the time for which the cache asks. */
  function settle(paths: readonly Waiting[], answers: readonly PublishedPath[]): Again {
    const again = new Map<string, Waiting>();
    const isVain = answers.every(({ status }) => status >= 300);
    let delayMs = 0;
    for (const [index, waiting] of paths.entries()) {
      const { status, message, retry_after, no_listing } = answers[index] ?? { status: 500, message: "" };
      const { path, references } = waiting;
      const failure = new Failure(isPassing(status) ? "network" : "refused", message, status);
      // The first has all that a request may take. What comes after it is put off where that was not enough.
      if (isVain || index === 0) waiting.attempts += 1;
      if (status < 300) {
        if (no_listing !== undefined) warn(`${path} has no listing: ${no_listing}`);
        waiting.done();
      } else if (isPassing(status) && waiting.attempts < DEFAULT_RETRIES.attempts) {
        again.set(path, waiting);
        delayMs = Math.max(delayMs, backoffMs(Math.max(waiting.attempts, 1), retry_after));
      } else if (status === CONFLICT && references.some((reference) => again.has(reference))) {
        again.set(path, waiting);
      } else if (status !== CONFLICT || !isHopeless(waiting)) {
        refuse(waiting, failure);
      }
    }
    return { paths: [...again.values()], delayMs };
  }

  /** The request has failed as a whole. */
  function unanswered(paths: readonly Waiting[], error: unknown): Again {
    const { kind, status = 0 } = error instanceof Failure ? error : { kind: "failed" };
    if (UNKNOWN.includes(status) && !isOld) {
      isOld = true;
      most = ceiling = 1;
      return { paths, delayMs: 0 };
    }
    if (paths.length > 1 && (kind === "network" || status === TOO_LARGE)) {
      // The platform gives a request only so much time: 10 ms on Cloudflare's free plan.
      ceiling = Math.min(ceiling, Math.floor(paths.length / 2));
      most = 1;
      return { paths, delayMs: 0 };
    }
    if (kind === "network") silent += 1;
    if (status === UNAUTHORIZED || silent === MAX_SILENT) lost ??= error;
    for (const waiting of paths) refuse(waiting, error);
    return { paths: [], delayMs: 0 };
  }

  function refuse({ path, fail }: Waiting, error: unknown): void {
    failed.add(path);
    fail(error);
  }

  /** Refuses a path that cannot be published any more. */
  function isHopeless(waiting: Waiting): boolean {
    const reference = waiting.references.find((reference) => failed.has(reference));
    if (lost === undefined && reference === undefined) return false;
    refuse(waiting, lost ?? lostReference(reference ?? ""));
    return true;
  }
}
