// The beginning of many deletions, in a bounded number of objects: a key that cannot be handled keeps no other.
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { note } from "../rows/findings.ts";
import { countDeletions } from "../rows/intents.ts";

/** Objects of the deletions that one step begins: four calls of the bucket. */
const MAX_OBJECTS = 4000;
/** Deletions without an answer of the bucket above which no further ones are begun. */
const MAX_OUTSTANDING = 1000;

export interface Begun {
  /** Their intents are recorded. */
  readonly keys: readonly string[];
  /** They cannot be handled: each is a finding. */
  readonly skipped: readonly string[];
}

/**
 * Begins the deletions of these keys, in their order, as far as one step gets. `begin` records the intent of one and
 * returns the number of its objects. Call it in a transaction.
 */
export function beginDeletions(
  c: CatalogContext,
  run: "gc" | "deletion",
  keys: readonly string[],
  begin: (key: string) => number,
): Begun {
  const begun: string[] = [];
  const skipped: string[] = [];
  let objects = 0;
  for (const key of keys) {
    if (objects >= MAX_OBJECTS) break;
    try {
      objects += c.transaction(() => begin(key));
      begun.push(key);
    } catch (error) {
      console.error(`the deletion of ${key} could not be begun`, error);
      note(c, run, "stuck-deletion", key, "its deletion could not be recorded; the Worker's log says why");
      skipped.push(key);
    }
  }
  return { keys: begun, skipped };
}

/** Throws {@link Refused} bucket-failed while the bucket confirms no deletions, so that their intents stay few. */
export function requireFewDeletions(c: CatalogContext): void {
  if (countDeletions(c, MAX_OUTSTANDING) < MAX_OUTSTANDING) return;
  throw new Refused(
    { kind: "bucket-failed", operation: "delete", reason: "unavailable" },
    `the bucket has not confirmed ${MAX_OUTSTANDING} deletions yet; no further ones are begun`,
  );
}
