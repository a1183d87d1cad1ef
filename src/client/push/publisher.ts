// Makes paths visible: as many as are ready with one request.
import { setTimeout } from "node:timers/promises";
import type { Published, PublishedPath } from "../../contract/publishing.ts";
import { Failure } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";
import { backoffMs, DEFAULT_RETRIES, isPassing } from "../http/retry.ts";
import { orWarn, sendListing } from "./companions.ts";
import { lostReference } from "./schedule.ts";

export interface ReadyPath {
  readonly path: string;
  /** Store paths; the path itself does not count. */
  readonly references: readonly string[];
  /** Of the path. */
  readonly hashPart: string;
  readonly narinfo: string;
  readonly listing?: string | undefined;
}

/**
 * Resolves when the path is visible. It may be called for a path as soon as it has been called for its references. Throws
 * {@link Failure}.
 */
export type Publish = (path: ReadyPath) => Promise<void>;

interface Waiting extends ReadyPath {
  attempts: number;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** The cache's limit for one request. */
const MAX_PATHS = 50;
/** Requests at once. */
const MAX_REQUESTS = 2;
/** Paths that are worth a second request beside the first: the longer it waits, the more it takes. */
const MIN_PATHS = 16;
/** Characters of a request. */
const MAX_LENGTH = 4 * 1024 * 1024;
const CONFLICT = 409;
/** How a Worker answers that is older than this client. */
const UNKNOWN = [404, 405];

export function publisher(cache: Cache, warn: (line: string) => void): Publish {
  // References before what refers to them.
  let queue: Waiting[] = [];
  const sent = new Set<string>();
  const failed = new Set<string>();
  let requests = 0;
  let isOld = false;

  return (ready) =>
    new Promise<void>((done, fail) => {
      const references = ready.references.filter((reference) => reference !== ready.path);
      queue.push({ ...ready, references, attempts: 0, done, fail });
      failWithReferences();
      sendMore();
    });

  function sendMore(): void {
    while (requests < MAX_REQUESTS) {
      const next = take();
      if (next.length === 0 || (requests > 0 && next.length < MIN_PATHS)) return;
      const taken = new Set(next);
      queue = queue.filter((waiting) => !taken.has(waiting));
      for (const { path } of next) sent.add(path);
      requests += 1;
      void send(next).then((again) => {
        for (const { path } of next) sent.delete(path);
        queue = [...again, ...queue];
        requests -= 1;
        failWithReferences();
        sendMore();
      });
    }
  }

  /** The next whose references are visible, or will be when the request comes to them. */
  function take(): Waiting[] {
    const taken: Waiting[] = [];
    const later = new Set<string>();
    let length = 0;
    for (const waiting of queue) {
      const { path, references, narinfo, listing = "" } = waiting;
      if (references.some((reference) => sent.has(reference) || later.has(reference))) {
        later.add(path);
        continue;
      }
      length += narinfo.length + listing.length;
      if (taken.length === MAX_PATHS || (taken.length > 0 && length > MAX_LENGTH)) break;
      taken.push(waiting);
    }
    return taken;
  }

  /** Never rejects. Those that are to be sent again, after the time for which the cache asks. */
  async function send(paths: readonly Waiting[]): Promise<Waiting[]> {
    let answers: readonly PublishedPath[];
    try {
      answers = isOld ? await onePerRequest(paths) : await inOneRequest(paths);
    } catch (error) {
      for (const waiting of paths) refuse(waiting, error);
      return [];
    }
    const again = new Map<string, Waiting>();
    let delayMs = 0;
    for (const [index, { status, message, retry_after, no_listing }] of answers.entries()) {
      const waiting = paths[index];
      if (waiting === undefined) continue;
      if (status < 300) {
        if (no_listing !== undefined) warn(`${waiting.path} has no listing: ${no_listing}`);
        waiting.done();
      } else if (isPassing(status) && ++waiting.attempts < DEFAULT_RETRIES.attempts) {
        again.set(waiting.path, waiting);
        delayMs = Math.max(delayMs, backoffMs(waiting.attempts, retry_after));
      } else if (status === CONFLICT && waiting.references.some((reference) => again.has(reference))) {
        again.set(waiting.path, waiting);
      } else {
        refuse(waiting, new Failure(isPassing(status) ? "network" : "refused", message, status));
      }
    }
    if (again.size > 0) await setTimeout(delayMs);
    return [...again.values()];
  }

  async function inOneRequest(paths: readonly Waiting[]): Promise<readonly PublishedPath[]> {
    const body = {
      paths: paths.map(({ narinfo, listing }) => ({ narinfo, ...(listing !== undefined && { listing }) })),
    };
    try {
      const { paths: answers } = await cache.call<Partial<Published>>("POST", "/paths", body);
      const isComplete = answers?.length === paths.length && answers.every(({ status }) => status >= 200);
      if (isComplete) return answers;
      throw new Failure("network", "the cache did not say what has become of the paths");
    } catch (error) {
      if (!(error instanceof Failure) || !UNKNOWN.includes(error.status ?? 0)) throw error;
      isOld = true;
      return onePerRequest(paths);
    }
  }

  async function onePerRequest(paths: readonly Waiting[]): Promise<readonly PublishedPath[]> {
    const answers: PublishedPath[] = [];
    for (const { hashPart, narinfo, listing } of paths) {
      const headers = { "content-type": "text/x-nix-narinfo" };
      try {
        await cache.send({ method: "PUT", path: `/${hashPart}.narinfo`, body: narinfo, headers });
        if (listing !== undefined) await orWarn(sendListing(hashPart, listing, cache.send), warn);
        answers.push({ status: 200, message: "" });
      } catch (error) {
        if (!(error instanceof Failure) || error.kind !== "refused") throw error;
        answers.push({ status: error.status ?? CONFLICT, message: error.message });
      }
    }
    return answers;
  }

  function refuse({ path, fail }: Waiting, error: unknown): void {
    failed.add(path);
    fail(error);
  }

  function failWithReferences(): void {
    if (failed.size === 0) return;
    queue = queue.filter((waiting) => {
      const lost = waiting.references.find((reference) => failed.has(reference));
      if (lost !== undefined) refuse(waiting, lostReference(lost));
      return lost === undefined;
    });
  }
}
