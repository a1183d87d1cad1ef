// Objects of the bucket as the catalog handles them: deleted so that everybody who reads meanwhile notices, and
// written with what the bucket itself does not know.
import { bucketOperation } from "../bucket/operation.ts";
import type { CatalogContext } from "./context.ts";

/** Objects that R2 deletes in one call. */
export const DELETE_BATCH = 1000;

/** Deletes objects. What anybody reads or lists between the two counts may be gone when they look at it. */
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

/** Who pushed a path last, and when it was pushed. */
export interface Push {
  readonly pushedBy: string;
  /** Milliseconds since the epoch. */
  readonly firstPush: number;
  /** Milliseconds since the epoch; set where the object was written later, by none of its pushers. */
  readonly lastPush?: number;
}

/** Custom metadata of a narinfo object. A catalog that is built anew has it again. */
export function pushMetadata({ pushedBy, firstPush, lastPush }: Push): Record<string, string> {
  return {
    "pushed-by": pushedBy,
    "first-push": String(firstPush),
    ...(lastPush !== undefined && { "last-push": String(lastPush) }),
  };
}

/** Of an object that another tool has written, what can be said of it. */
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
