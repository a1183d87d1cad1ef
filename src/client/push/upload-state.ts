// What is known of uploads in parts that have not ended, so that the next push goes on with them.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, type Env } from "../settings/locations.ts";

export interface UploadState {
  readonly uploadId: string;
  /** Bytes. All parts but the last have this size. */
  readonly partSize: number;
}

export interface UploadStates {
  get(key: string): UploadState | undefined;
  set(key: string, state: UploadState): void;
  delete(key: string): void;
}

/** Those of the cache at this URL. */
export function uploadStates(url: string, env: Env): UploadStates {
  const dir = join(cacheDir(env), "uploads");
  const fileOf = (key: string) =>
    join(dir, `${createHash("sha256").update(`${url}/${key}`).digest("hex").slice(0, 32)}.json`);
  return {
    get(key) {
      try {
        const { uploadId, partSize } = JSON.parse(readFileSync(fileOf(key), "utf8"));
        return typeof uploadId === "string" && Number.isSafeInteger(partSize) && partSize > 0
          ? { uploadId, partSize }
          : undefined;
      } catch {
        // None, or a file that cannot be read: the upload begins anew.
        return undefined;
      }
    },
    set(key, state) {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      // A whole file or none, also when this process is killed.
      writeFileSync(`${fileOf(key)}.new`, JSON.stringify(state), { mode: 0o600 });
      renameSync(`${fileOf(key)}.new`, fileOf(key));
    },
    delete: (key) => rmSync(fileOf(key), { force: true }),
  };
}
