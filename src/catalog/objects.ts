// Objects of the bucket: deletions that concurrent readers can notice, and the custom metadata of narinfos.
import { bucketOperation } from "../bucket/operation.ts";
import type { CatalogContext } from "./context.ts";

/** Objects that R2 deletes in one call. */
export const DELETE_BATCH = 1000;

/** Deletes objects. An object that is read or listed between the two increments may be gone already. */
export async function deleteObjects(c: CatalogContext, keys: readonly string[]): Promise<void> {
  c.deletions.count++;
  try {
    for (let start = 0; start < keys.length; start += DELETE_BATCH) {
      await bucketOperation("delete", () => c.bucket.delete(keys.slice(start, start + DELETE_BATCH)));
    }
  } finally {
    c.deletions.count++;
  }
}

/** The last pusher of a path, and when it was pushed. */
export interface Push {
  readonly pushedBy: string;
  /** Milliseconds since the epoch. */
  readonly firstPush: number;
  /** Milliseconds since the epoch; set if a resign has rewritten the object. */
  readonly lastPush?: number;
}

/** Custom metadata of a narinfo object, from which a reindex restores the rows. */
export function pushMetadata({ pushedBy, firstPush, lastPush }: Push): Record<string, string> {
  return {
    "pushed-by": pushedBy,
    "first-push": String(firstPush),
    ...(lastPush !== undefined && { "last-push": String(lastPush) }),
  };
}

/** The time of the upload, for an object that another tool has written. */
export function pushOf(object: R2Object): Push & { readonly lastPush: number } {
  const metadata = object.customMetadata ?? {};
  const uploaded = object.uploaded.getTime();
  const time = (text = "") => (/^\d{1,15}$/.test(text) ? Number(text) : uploaded);
  return {
    pushedBy: metadata["pushed-by"] ?? "found in the bucket",
    firstPush: time(metadata["first-push"]),
    lastPush: time(metadata["last-push"]),
  };
}
