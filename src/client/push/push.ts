// Pushing closures: which paths are missing, their NARs, and their narinfos in topological order.
import { formatNarInfo } from "../../nix/narinfo.ts";
import { checkBaseName } from "../../nix/store-path.ts";
import { Failure } from "../ground/failure.ts";
import type { State } from "../ground/progress.ts";
import type { Cache } from "../http/api.ts";
import type { Env } from "../settings/locations.ts";
import { resolve, topological } from "../store/closure.ts";
import type { PathInfo } from "../store/path-info.ts";
import { logSender, orWarn, sendListing } from "./companions.ts";
import type { Compression } from "./compression.ts";
import { missingOf } from "./missing.ts";
import { type Packed, pack } from "./pack.ts";
import { uploadInParts } from "./parts.ts";
import { realisationsOf, sendRealisation } from "./realisations.ts";
import { type FailedPath, pushAll, slots } from "./schedule.ts";
import { type LeftOut, type Rules, select } from "./selection.ts";
import { uploadStates } from "./upload-state.ts";

export interface PushOptions extends Rules {
  readonly closure: boolean;
  /** NARs at once. */
  readonly jobs: number;
  readonly compression: Compression;
  readonly dryRun: boolean;
  readonly listings: boolean;
  readonly logs: boolean;
  /** Bytes above which a NAR is uploaded in parts of this size. Cloudflare takes 100 MB in one request. */
  readonly partSize: number;
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

export const DEFAULT_PART_BYTES = 64 * 1024 * 1024;
/** Narinfos are small: more of them than NARs are in flight. */
const PUBLISHING = 16;

/** Pushes what is named, and its closure. Throws {@link Failure} where nothing could be begun. */
export async function push(
  cache: Cache,
  named: readonly string[],
  options: PushOptions,
): Promise<PushReport> {
  const { roots, paths } = await resolve(named, options.closure, options.env);
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
  const { send, settings } = cache;
  const { env, warn, compression } = options;
  let sent = 0;
  let done = 0;
  const total = chosen.length;
  const show = (now?: string) =>
    options.onProgress({ done, total, bytes: sent, ...(now !== undefined && { now }) });
  const states = uploadStates(settings.url, env);
  const sendLog = logSender(send, env);
  const publishing = slots(PUBLISHING);
  const uploads = new Map<string, Promise<void>>();
  const realisations = await realisationsOf(chosen, env);

  /** Paths of the same content share a NAR. */
  const uploadNar = (packed: Packed): Promise<void> => {
    const known = uploads.get(packed.key);
    if (known !== undefined) return known;
    const upload = sendNar(packed);
    uploads.set(packed.key, upload);
    upload.catch(() => uploads.delete(packed.key));
    return upload;
  };

  async function sendNar({ key, spool }: Packed): Promise<void> {
    if (spool.size > options.partSize) {
      const { status } = await send({ method: "HEAD", path: `/${key}` }, [404]);
      if (status === 200) return;
      const onBytes = (bytes: number, isSent: boolean) => {
        if (isSent) sent += bytes;
        show(key);
      };
      await uploadInParts(key, spool, { send, states, partSize: options.partSize, onBytes });
      return;
    }
    const body = { size: spool.size, open: () => spool.read(0, spool.size) };
    await send({
      method: "PUT",
      path: `/${key}`,
      body,
      headers: { "content-type": "application/x-nix-nar" },
    });
    sent += spool.size;
  }

  const outcome = await pushAll(chosen, options.jobs, {
    async upload(info) {
      show(info.path);
      const packed = await pack(info, compression, env);
      try {
        await uploadNar(packed);
        const { listing } = packed;
        const { hash } = baseNameOf(info.path);
        if (options.listings && listing !== undefined) await orWarn(sendListing(hash, listing, send), warn);
        if (options.logs) await orWarn(sendLog(info), warn);
        return narInfoOf(info, packed, compression);
      } finally {
        packed.spool.close();
      }
    },
    async publish(info, narInfo) {
      await publishing(() =>
        send({
          method: "PUT",
          path: `/${baseNameOf(info.path).hash}.narinfo`,
          body: narInfo,
          headers: { "content-type": "text/x-nix-narinfo" },
        }),
      );
      for (const realisation of realisations.get(info.path) ?? []) {
        await orWarn(sendRealisation(realisation, send), warn);
      }
      done += 1;
      show(info.path);
    },
    onFailure: ({ path, reason }) => warn(`${path}: ${reason}`),
  });
  return { ...outcome, sent };
}

function narInfoOf(info: PathInfo, { key, fileHash, spool }: Packed, { method }: Compression): string {
  const { narHash, narSize, references, deriver, signatures, ca } = info;
  const { storeDir, hash, name, baseName } = baseNameOf(info.path);
  return formatNarInfo({
    storePath: { storeDir, hash, name, baseName },
    url: key,
    compression: method,
    fileHash,
    fileSize: spool.size,
    narHash,
    narSize,
    references: references.map((reference) => baseNameOf(reference).baseName).sort(),
    ...(deriver !== undefined && { deriver: baseNameOf(deriver).baseName }),
    signatures: [...signatures],
    ...(ca !== undefined && { ca }),
    extra: [],
  });
}

function baseNameOf(path: string) {
  const at = path.lastIndexOf("/");
  const baseName = path.slice(at + 1);
  return { storeDir: path.slice(0, at), baseName, ...checkBaseName(baseName) };
}

function sizeOf(paths: readonly PathInfo[]): number {
  return paths.reduce((sum, { narSize }) => sum + narSize, 0);
}

/** The kind of failure of the whole push: the one that all have in common, or `partly` where something was done. */
export function failureOf({ pushed, failed }: PushReport, what: string): Failure | undefined {
  const [first] = failed;
  if (first === undefined) return undefined;
  if (pushed.length > 0)
    return new Failure("partly", `${failed.length} paths were not ${what}: ${first.reason}`);
  if (first.error instanceof Failure) return first.error;
  return new Failure("failed", first.reason);
}
