// The table `nar_names`: the names of other programs, under which NARs were lately sent, with the keys that the NARs got.
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

/** As long as an upload may take: the narinfo that says the name comes after its NAR. */
const NAME_MS = 7 * 24 * 60 * 60 * 1000;
/** Forgotten with each new one, so that there are never many more than were sent in {@link NAME_MS}. */
const FORGOTTEN_AT_ONCE = 4;

export function saveNarName(c: CatalogContext, name: string, key: string): void {
  c.transaction(() => {
    c.sql.exec(
      "DELETE FROM nar_names WHERE name IN (SELECT name FROM nar_names WHERE sent <= ? ORDER BY sent LIMIT ?)",
      c.now() - NAME_MS,
      FORGOTTEN_AT_ONCE,
    );
    insert(
      c,
      "nar_names",
      { name, key, sent: c.now() },
      "ON CONFLICT (name) DO UPDATE SET key = excluded.key, sent = excluded.sent",
    );
  });
}

/** The key of the NAR that was sent under a name last; `undefined` where that is long ago. */
export function narNamed(c: CatalogContext, name: string): string | undefined {
  const [row] = c.sql
    .exec<{ key: string }>("SELECT key FROM nar_names WHERE name = ? AND sent > ?", name, c.now() - NAME_MS)
    .toArray();
  return row?.key;
}
