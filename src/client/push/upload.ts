// Uploading NARs: small ones in one request, large ones in parts, each content once.
import type { Cache } from "../http/api.ts";
import { REDIRECTIONS } from "../http/retry.ts";
import type { Env } from "../settings/locations.ts";
import { uploadInParts } from "./parts.ts";
import type { Spool } from "./spool.ts";
import { uploadStates } from "./upload-state.ts";

export interface UploadOptions {
  /** Bytes above which a NAR goes in parts of this size. */
  readonly partSize: number;
  readonly env: Env;
  /** Bytes that have been sent now. */
  readonly onBytes: (bytes: number) => void;
}

const OK = 200;
const NOT_FOUND = 404;

/** Uploads a NAR under its key. Paths of the same content share one. Throws Failure. */
export function narUploader(
  { send, settings }: Cache,
  { partSize, env, onBytes }: UploadOptions,
): (key: string, spool: Spool) => Promise<void> {
  const states = uploadStates(settings.url, env);
  const uploads = new Map<string, Promise<void>>();
  return (key, spool) => {
    const known = uploads.get(key);
    if (known !== undefined) return known;
    const upload = spool.size > partSize ? inParts(key, spool) : inOne(key, spool);
    uploads.set(key, upload);
    // Another path of the same content tries again.
    upload.catch(() => uploads.delete(key));
    return upload;
  };

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
