// Mirroring: what readers ask for of an upstream comes into the bucket, one path at a time, by the catalog's alarm. A path
// is published like a pushed one once its NAR is here and verified. A crash anywhere is harmless: the row stays until the
// path is published, and doing it again changes nothing.
import { MAX_SINGLE_PUT_BYTES } from "../../bucket/kinds.ts";
import type { Upstream } from "../../config/upstream.ts";
import { narKeyOfHash } from "../../nix/nar-url.ts";
import { formatNarInfo, type NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { announceNar } from "../publish/announce-nar.ts";
import { publish } from "../publish/publish.ts";
import { Refused } from "../refuse.ts";
import {
  beginMirrorAttempt,
  continueMirror,
  countMirrored,
  forgetMirror,
  mirroredToday,
  nextMirror,
  postponeMirror,
  type QueuedMirror,
  queueMirror,
  tomorrow,
} from "../rows/mirror.ts";
import { missingNames, pathRow } from "../rows/paths.ts";
import { askForReferences, maxQuestions } from "../scan/upstream-references.ts";
import { deleteUnusedNar } from "../verify/remove.ts";
import { copyNar, UpstreamError } from "./copy.ts";

/** Copies that may fail before a path is given up; the next reader asks for it again. */
const MAX_ATTEMPTS = 4;
/** Milliseconds until a failed copy is tried again, doubled with every further failure. */
const RETRY_MS = 60_000;
/** Milliseconds until the next look while a push goes on. */
const BUSY_MS = 5000;
/** As pushers are named. */
const PUSHED_BY = "upstream:";

/** A reader was sent to an upstream for this path. */
export function requestMirror(c: CatalogContext, hash: string, url: string): void {
  if (upstreamOf(c, url) === undefined || pathRow(c, hash) !== undefined) return;
  if (queueMirror(c, hash, url)) c.wakeForMirror();
}

/** Copies the path that is due first. Returns when to go on, in milliseconds since the epoch, if there is more. */
export async function mirrorNext(c: CatalogContext): Promise<number | undefined> {
  const next = nextMirror(c);
  if (next === undefined) return undefined;
  if (next.due > c.now()) return next.due;
  if (c.isBusy()) return c.now() + BUSY_MS;
  // Before the copy: if the platform kills it, the next alarm knows.
  beginMirrorAttempt(c, next.hash);
  try {
    await mirror(c, next);
  } catch (error) {
    if (!(error instanceof UpstreamError) && !(error instanceof Refused))
      console.warn("a copy failed", error);
    fail(c, next, error instanceof Error ? error.message : String(error));
  }
  const later = nextMirror(c)?.due;
  return later === undefined ? undefined : Math.max(later, c.now());
}

async function mirror(c: CatalogContext, { hash, upstream: url, upload }: QueuedMirror): Promise<void> {
  const upstream = upstreamOf(c, url);
  // Pushed meanwhile, or configured no more.
  if (upstream === undefined || pathRow(c, hash) !== undefined) return forgetMirror(c, hash);
  const found = await c.upstreams.find(hash, { isPusher: false, mayRead: async () => true }, [upstream]);
  if (typeof found === "string") throw new UpstreamError(`${url} does not have ${hash} now`);
  const { info } = found;
  const nar = narOf(info, upstream.mirrorBytesPerDay);
  if (nar === undefined) return forgetMirror(c, hash);
  if (upload === null) {
    if (mirroredToday(c, url) + nar.size > upstream.mirrorBytesPerDay)
      return continueMirror(c, hash, tomorrow(c));
    countMirrored(c, url, nar.size);
  }
  const announced = c.now();
  await announceNar(c, { key: nar.key, size: nar.size, sha256: nar.sha256 });
  const copied = await copyNar(c, hash, nar, upload);
  if (copied === "partly") return continueMirror(c, hash, c.now());
  if (copied === "false") {
    console.warn(`upstream ${url}: the NAR of ${info.storePath.baseName} is not what its narinfo says`);
    return forgetMirror(c, hash);
  }
  if (!(await publishMirrored(c, hash, { ...info, url: nar.key }, url, announced))) return;
  forgetMirror(c, hash);
}

/** False where it is to be called again. */
async function publishMirrored(
  c: CatalogContext,
  hash: string,
  info: NarInfo,
  url: string,
  announced: number,
): Promise<boolean> {
  const unknown = missingNames(c, info).map((name) => name.slice(0, 32));
  const asked = unknown.slice(0, maxQuestions(c));
  const absent = await askForReferences(c, asked);
  // What no upstream has would be asked for again and again: it is refused below.
  if (absent.length === 0 && asked.length < unknown.length) {
    continueMirror(c, hash, c.now());
    return false;
  }
  // Its own signature is added only to what it has verified.
  const verifying: CatalogContext = { ...c, config: { ...c.config, verify: "before" } };
  try {
    await publish(verifying, formatNarInfo(info), `${PUSHED_BY}${url}`);
    return true;
  } catch (error) {
    const kind = error instanceof Refused ? error.refusal.kind : undefined;
    if (kind === "being-verified") {
      continueMirror(c, hash, c.now() + RETRY_MS);
      return false;
    }
    if (kind !== "false-nar" && kind !== "unverifiable-nar" && kind !== "hash-taken") throw error;
    console.warn(`upstream ${url}: ${info.storePath.baseName} is not mirrored: ${kind}`);
    // Unless a pusher has announced or asked for it since.
    await deleteUnusedNar(c, info.url, announced);
    return true;
  }
}

function fail(c: CatalogContext, { hash, upstream, attempts }: QueuedMirror, why: string): void {
  if (attempts + 1 >= MAX_ATTEMPTS) {
    console.warn(`upstream ${upstream}: ${hash} is not mirrored: ${why}`);
    forgetMirror(c, hash);
  } else postponeMirror(c, hash, c.now() + RETRY_MS * 2 ** attempts);
}

function upstreamOf({ config }: CatalogContext, url: string): Upstream | undefined {
  return config.upstreams.find((upstream) => upstream.url === url && upstream.serve === "mirror");
}

/** `undefined` where the bucket could not check it, or where it is too large for a day. */
function narOf({ url, compression, ...info }: NarInfo, maxBytes: number) {
  // Servers that do not compress may leave out the hash and size of the file.
  const isPlain = compression === "none";
  const hash = info.fileHash ?? (isPlain ? info.narHash : undefined);
  const size = info.fileSize ?? (isPlain ? info.narSize : undefined);
  if (hash?.algorithm !== "sha256" || size === undefined) return undefined;
  if (size > Math.min(maxBytes, MAX_SINGLE_PUT_BYTES)) return undefined;
  return { url, key: narKeyOfHash(hash, compression), size, sha256: hash.bytes.toHex() };
}
