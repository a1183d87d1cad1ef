// The last phase of a reindex: objects under pins/ and rows of pins. Nothing may be collected before all pins are known.
import { PIN_FOLDER } from "../../bucket/kinds.ts";
import { readText } from "../../bucket/text.ts";
import type { CatalogContext } from "../context.ts";
import { MAX_PIN_BYTES, type PinObject, parsePin } from "../pins/object.ts";
import { MAX_WRITTEN, restorePin, writePins } from "../pins/pins.ts";
import { resolveKey } from "../publish/resolve.ts";
import { note } from "../rows/findings.ts";
import { markPinWritten, pinRow } from "../rows/pins.ts";
import { type Run, saveRun } from "../runs/run.ts";
import { doItems, type Item } from "../scan/items.ts";
import { listPage, type Page } from "../scan/pages.ts";
import type { ReindexRun } from "./state.ts";

/** Imports pins without a row or with other content, and writes missing objects. */
export async function reindexPins(c: CatalogContext, run: ReindexRun): Promise<number> {
  const page = await listPage(c, { prefix: PIN_FOLDER }, run.checkpoint);
  c.sql.exec(
    `UPDATE pins SET is_written = 0, etag = NULL WHERE ?1 || name > ?2 AND ?1 || name <= ?3 AND is_written = 1
     AND ?1 || name NOT IN (SELECT value FROM json_each(?4))`,
    PIN_FOLDER,
    run.checkpoint,
    page.end,
    JSON.stringify(page.objects.map(({ key }) => key)),
  );
  // While more remain, the next step repeats this.
  const written = await writePins(c);
  if (written === MAX_WRITTEN) {
    run.failures = 0;
    saveRun(c, run);
    return 1 + 2 * written;
  }
  return (await readPins(c, run, page, importPin)) + 2 * written;
}

/** Reads the pins of a page that differ from the rows. Notes the unreadable ones, and gives the others to `act`. */
export async function readPins(
  c: CatalogContext,
  run: Run,
  page: Page,
  act: (c: CatalogContext, name: string, pin: PinObject, etag: string) => void,
): Promise<number> {
  const readPin = async (key: string) => {
    const name = key.slice(PIN_FOLDER.length);
    // Otherwise this would undo an unfinished deletion of the pin.
    await resolveKey(c, key);
    const stored = await readText(c.bucket, key, MAX_PIN_BYTES);
    if (stored === undefined) return;
    const pin = "text" in stored ? parsePin(stored.text, c.config.storeDir) : undefined;
    if (pin !== undefined) return act(c, name, pin, stored.object.etag);
    const why = "is no pin of this cache; PUT the pin again, or delete the object and POST /api/v1/reindex";
    note(c, run.kind, "unreadable-pin", name, why);
  };
  const items = page.objects
    .filter(({ key, etag }) => pinRow(c, key.slice(PIN_FOLDER.length))?.etag !== etag)
    .map(({ key }): Item => ({ key, cost: 1, work: () => c.locks.run(key, () => readPin(key)) }));
  const { cost } = await doItems(c, run, items, page.end);
  saveRun(c, run);
  return cost;
}

function importPin(c: CatalogContext, name: string, pin: PinObject, etag: string): void {
  // A row whose object is not written yet is newer than the bucket.
  if (pinRow(c, name)?.is_written === 0) return;
  c.transaction(() => {
    restorePin(c, name, pin);
    markPinWritten(c, name, etag);
  });
}

/** The name of a pin that the last reindex could not read and that has not been put again; `undefined` for none. */
export function unreadablePin(c: CatalogContext): string | undefined {
  return c.sql
    .exec<{ name: string }>(
      `SELECT name FROM findings WHERE run = 'reindex' AND kind = 'unreadable-pin'
       AND NOT EXISTS (SELECT 1 FROM pins WHERE pins.name = findings.name) ORDER BY name LIMIT 1`,
    )
    .toArray()[0]?.name;
}
