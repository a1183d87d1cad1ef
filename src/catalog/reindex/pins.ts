// The last parts of a reindex, and of a check: what accompanies paths, and the pins. A catalog that is built anew must know all pins
// before anything is collected.
import { bucketOperation } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { PIN_FOLDER, parsePin } from "../pins/object.ts";
import { MAX_WRITTEN, writePins } from "../pins/pins.ts";
import { resolveKey } from "../publish/settle.ts";
import { note } from "../rows/findings.ts";
import { pinRow, savePin } from "../rows/pins.ts";
import { type Run, saveRun } from "../runs/runs.ts";
import { doItems, type Item } from "../scan/items.ts";
import { listPage, type Page } from "../scan/pages.ts";

/** A pin without a row, or with another content, is taken into the rows; one without an object is written again. */
export async function reindexPins(c: CatalogContext, run: Run): Promise<number> {
  const page = await listPage(c, { prefix: PIN_FOLDER }, run.checkpoint);
  c.sql.exec(
    `UPDATE pins SET is_written = 0, etag = NULL WHERE ?1 || name > ?2 AND ?1 || name <= ?3 AND is_written = 1
     AND ?1 || name NOT IN (SELECT value FROM json_each(?4))`,
    PIN_FOLDER,
    run.checkpoint,
    page.end,
    JSON.stringify(page.objects.map(({ key }) => key)),
  );
  // While there are more, the next step comes here again.
  const written = await writePins(c);
  if (written === MAX_WRITTEN) {
    run.failures = 0;
    saveRun(c, run);
    return 1 + 2 * written;
  }
  return (await readPins(c, run, page)) + 2 * written;
}

/** Looks for objects that are no pins; which pins there are is the rows' to say. */
export async function checkPins(c: CatalogContext, run: Run): Promise<number> {
  return readPins(c, run, await listPage(c, { prefix: PIN_FOLDER }, run.checkpoint));
}

/** Reads what differs from the rows: a reindex takes it into them. */
async function readPins(c: CatalogContext, run: Run, page: Page): Promise<number> {
  const items = page.objects
    .filter(({ key, etag }) => pinRow(c, key.slice(PIN_FOLDER.length))?.etag !== etag)
    .map(({ key }): Item => ({ key, cost: 1, work: () => c.locks.run(key, () => readPin(c, run, key)) }));
  const { cost } = await doItems(c, run, items, page.end);
  saveRun(c, run);
  return cost;
}

async function readPin(c: CatalogContext, { kind }: Run, key: string): Promise<void> {
  const name = key.slice(PIN_FOLDER.length);
  // Otherwise a pin that is being deleted would come back.
  await resolveKey(c, key);
  const object = await bucketOperation("get", () => c.bucket.get(key));
  if (object === null) return;
  const pin = parsePin(await bucketOperation("get", () => object.text()), c.config.storeDir);
  if (pin === undefined) {
    const why = "is no pin of this cache; PUT the pin again, or delete the object and POST /api/v1/reindex";
    return note(c, kind, "unreadable-pin", name, why);
  }
  if (kind === "check") return;
  // What is not written yet is newer than the bucket.
  if (pinRow(c, name)?.is_written === 0) return;
  c.transaction(() => {
    savePin(c, name, pin.keep, pin.revisions);
    c.sql.exec("UPDATE pins SET etag = ?, is_written = 1 WHERE name = ?", object.etag, name);
  });
}

/** Of what the last reindex could not read, what nobody has pinned again since; `undefined` for nothing. */
export function unreadablePin(c: CatalogContext): string | undefined {
  return c.sql
    .exec<{ name: string }>(
      `SELECT name FROM findings WHERE run = 'reindex' AND kind = 'unreadable-pin'
       AND NOT EXISTS (SELECT 1 FROM pins WHERE pins.name = findings.name) ORDER BY name LIMIT 1`,
    )
    .toArray()[0]?.name;
}
