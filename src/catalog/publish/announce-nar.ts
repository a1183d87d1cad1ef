// NARs that pushers are about to upload, or rely on.
import type { AnnouncedNar } from "../../contract/uploads.ts";
import type { CatalogContext } from "../context.ts";
import { isBeingDeleted } from "../rows/intents.ts";
import { resolveKey } from "./resolve.ts";

/**
 * A pusher is about to upload a NAR. Noted before the bucket is touched, so that no object is ever in the bucket
 * that the catalog does not know; and it waits until a deletion of the same key is over. An upload that fails leaves
 * its row: it says that there may be an object, and nobody can be certain that there is none.
 */
export async function announceNar(c: CatalogContext, nar: AnnouncedNar): Promise<void> {
  await c.locks.run(nar.key, async () => {
    await resolveKey(c, nar.key);
    c.sql.exec(
      `INSERT INTO nars VALUES (?, ?, ?, 0, ?, ?, NULL)
       ON CONFLICT (key) DO UPDATE SET uploaded = excluded.uploaded, seen = excluded.seen`,
      nar.key,
      nar.size,
      nar.sha256 ?? null,
      c.now(),
      c.now(),
    );
  });
}

/**
 * A pusher is about to be told whether a NAR is here, and will rely on it. A deletion of it that is under way is over
 * before. Of a NAR that has a path nothing is written: its grace counts from when it loses the last.
 */
export async function touchNar(c: CatalogContext, key: string): Promise<void> {
  if (isBeingDeleted(c, key) || c.locks.isHeld(key)) await c.locks.run(key, () => resolveKey(c, key));
  c.sql.exec(
    `UPDATE nars SET seen = ? WHERE key = ?
     AND (released IS NOT NULL OR NOT EXISTS (SELECT 1 FROM paths WHERE nar = nars.key))`,
    c.now(),
    key,
  );
}
