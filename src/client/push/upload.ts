// Uploading NARs, each content once: in one request while that can be sent, above it in parts.
import { Failure } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";
import { REDIRECTIONS } from "../http/retry.ts";
import type { Env } from "../settings/locations.ts";
import { uploadInParts } from "./parts.ts";
import type { Spool } from "./spool.ts";
import { uploadStates } from "./upload-state.ts";

export interface UploadOptions {
  /** Bytes above which a NAR goes in parts of this size; `undefined`: above what the way to the cache takes. */
  readonly partSize: number | undefined;
  readonly env: Env;
  /** Bytes that have been sent now. */
  readonly onBytes: (bytes: number) => void;
}

const DEFAULT_PART_BYTES = 64 * 1024 * 1024;
/** Cloudflare takes 100 MB in one request on its Free and Pro plans. */
const MAX_ONE_REQUEST_BYTES = 95_000_000;
/** A server on this machine takes more; above it an upload that breaks off must be resumed. */
const MAX_ONE_REQUEST_BYTES_LOCALLY = 1024 ** 3;
const OK = 200;
const NOT_FOUND = 404;
const TOO_LARGE = 413;

/** Uploads a NAR under its key. Paths of the same content share one. Throws Failure. */
export function narUploader(
  { send, settings }: Pick<Cache, "send" | "settings">,
  options: UploadOptions,
): (key: string, spool: Spool) => Promise<void> {
  const { env, onBytes, partSize = DEFAULT_PART_BYTES } = options;
  const maxInOne = options.partSize ?? maxInOneRequest(settings.url);
  const states = uploadStates(settings.url, env);
  const uploads = new Map<string, Promise<void>>();
  return (key, spool) => {
    const known = uploads.get(key);
    if (known !== undefined) return known;
    const goesInParts = spool.size > maxInOne || states.get(key) !== undefined;
    const upload = goesInParts ? inParts(key, spool) : inOneOrParts(key, spool);
    uploads.set(key, upload);
    // Another path of the same content tries again.
    upload.catch(() => uploads.delete(key));
    return upload;
  };

  async function inOneOrParts(key: string, spool: Spool): Promise<void> {
    try {
      await inOne(key, spool);
    } catch (error) {
      // A proxy takes less than the cache behind it.
      const isTooLarge = error instanceof Failure && error.status === TOO_LARGE;
      if (!isTooLarge || spool.size <= partSize) throw error;
      await inParts(key, spool);
    }
  }

  async function inOne(key: string, spool: Spool): Promise<void> {
    const body = { size: spool.size, open: () => spool.read(0, spool.size) };
    await send({
      method: "PUT",
      path: `/${key}`,
      body,
      headers: { "content-type": "application/x-nix-nar" },
    });
    onBytes(spool.size);
  }

  async function inParts(key: string, spool: Spool): Promise<void> {
    const { status } = await send({ method: "HEAD", path: `/${key}` }, [NOT_FOUND, ...REDIRECTIONS]);
    if (status === OK) return;
    await uploadInParts(key, spool, {
      send,
      states,
      partSize,
      onBytes: (bytes, isSent) => onBytes(isSent ? bytes : 0),
    });
  }
}

function maxInOneRequest(url: string): number {
  const isLocal = /^(?:(?:.+\.)?localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);
  return isLocal ? MAX_ONE_REQUEST_BYTES_LOCALLY : MAX_ONE_REQUEST_BYTES;
}
