// Pushing closures: which paths are missing, their NARs, and their narinfos in topological order.
import type { State } from "../ground/progress.ts";
import type { Cache } from "../http/api.ts";
import type { Env } from "../settings/locations.ts";
import { resolve, topological } from "../store/closure.ts";
import type { PathInfo } from "../store/path-info.ts";
import { logSender, orWarn, realisationsByPath, sendListing, sendRealisation } from "./companions.ts";
import type { Compression } from "./compression.ts";
import { failureOf as failureOfPaths, lineOfPath } from "./failure.ts";
import { missingOf } from "./missing.ts";
import { baseNameOf, narInfoOf } from "./narinfo.ts";
import { pack } from "./pack.ts";
import { publisher } from "./publisher.ts";
import { type FailedPath, pushAll } from "./schedule.ts";
import { type LeftOut, type Rules, select } from "./selection.ts";
import { narUploader } from "./upload.ts";

export interface PushOptions extends Rules {
  readonly closure: boolean;
  /** Called with what was named, before anything is sent; throws where that is wrong. */
  readonly checkRoots?: (roots: readonly string[]) => void;
  /** NARs at once. */
  readonly jobs: number;
  readonly compression: Compression;
  readonly dryRun: boolean;
  readonly listings: boolean;
  readonly logs: boolean;
  /** As for {@link narUploader}. */
  readonly partSize: number | undefined;
  readonly env: Env;
  readonly onProgress: (state: State) => void;
  readonly warn: (line: string) => void;
}

export interface PushReport {
  /** What was named. */
  readonly roots: readonly string[];
  /** Paths of the closures. */
  readonly total: number;
  /** Paths that the cache or its upstreams had. */
  readonly present: number;
  /** Paths that were pushed; with `dryRun`, that would be. */
  readonly pushed: readonly string[];
  /** Bytes of their NARs, unpacked. */
  readonly nar_size: number;
  /** Bytes that were sent. */
  readonly sent: number;
  readonly left_out: readonly LeftOut[];
  readonly failed: readonly FailedPath[];
}

/** Characters of a listing that is sent with the narinfo; a larger one goes by itself. Thousands may wait. */
const MAX_LISTING_ALONG = 16 * 1024;

/** Pushes what is named, and its closure. Throws Failure where nothing could be begun. */
export async function push(
  cache: Cache,
  named: readonly string[],
  options: PushOptions,
): Promise<PushReport> {
  const { roots, paths } = await resolve(named, options.closure, options.env);
  options.checkRoots?.(roots);
  const missing = await missingOf(cache, [...paths.keys()]);
  const needed = topological(paths).filter(({ path }) => missing.has(path));
  const { chosen, leftOut } = select(needed, options);
  const report = {
    roots,
    total: paths.size,
    present: paths.size - needed.length,
    left_out: leftOut,
  };
  if (options.dryRun) {
    const pushed = chosen.map(({ path }) => path);
    return { ...report, pushed, nar_size: sizeOf(chosen), sent: 0, failed: [] };
  }
  const { pushed, failed, sent } = await pushPaths(cache, chosen, options);
  const isPushed = new Set(pushed);
  const size = sizeOf(chosen.filter(({ path }) => isPushed.has(path)));
  return { ...report, pushed, nar_size: size, sent, failed };
}

async function pushPaths(cache: Cache, chosen: readonly PathInfo[], options: PushOptions) {
  const { send } = cache;
  const { env, warn, compression } = options;
  let sent = 0;
  let done = 0;
  const total = chosen.length;
  const show = (now?: string) =>
    options.onProgress({ done, total, bytes: sent, ...(now !== undefined && { now }) });
  const sendLog = logSender(send, env);
  const publish = publisher(cache, warn);
  const uploadNar = narUploader(cache, {
    partSize: options.partSize,
    env,
    onBytes: (bytes) => {
      sent += bytes;
      show();
    },
  });
  const realisations = await realisationsByPath(chosen, env);

  const outcome = await pushAll(chosen, options.jobs, {
    async upload(info) {
      show(info.path);
      const packed = await pack(info, compression, env);
      try {
        const { hash } = baseNameOf(info.path);
        const listing = options.listings ? packed.listing : undefined;
        const isAlong = (listing?.length ?? 0) <= MAX_LISTING_ALONG;
        // All have ended before the NAR's file is closed.
        const results = await Promise.allSettled([
          uploadNar(packed.key, packed.spool),
          ...(listing !== undefined && !isAlong ? [orWarn(sendListing(hash, listing, send), warn)] : []),
          ...(options.logs ? [orWarn(sendLog(info), warn)] : []),
        ]);
        const failed = results.find((result) => result.status === "rejected");
        if (failed !== undefined) throw failed.reason;
        const narinfo = narInfoOf(info, packed, compression.method);
        return { hashPart: hash, narinfo, listing: isAlong ? listing : undefined };
      } finally {
        packed.spool.close();
      }
    },
    async publish(info, uploaded) {
      await publish({ ...uploaded, path: info.path, references: info.references });
      for (const realisation of realisations.get(info.path) ?? []) {
        await orWarn(sendRealisation(realisation, send), warn);
      }
      done += 1;
      show(info.path);
    },
    onFailure: (failed) => warn(lineOfPath(failed)),
  });
  return { ...outcome, sent };
}

function sizeOf(paths: readonly PathInfo[]): number {
  return paths.reduce((sum, { narSize }) => sum + narSize, 0);
}

/** Of the whole push; `undefined` where all was pushed. */
export function failureOf({ pushed, failed }: PushReport, what: string) {
  return failureOfPaths(pushed, failed, what);
}
