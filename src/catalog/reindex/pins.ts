// The last parts of a reindex, and of a check: what accompanies paths, and the pins. A catalog that is built anew must know all pins
// before anything is collected.

import { COMPANION_FOLDERS, ownerOf } from "../../bucket/companions.ts";
import { bucketOperation } from "../../bucket/operation.ts";
import { decodeUtf8 } from "../../http/body.ts";
import { decode, knownCoding } from "../../http/encodings.ts";
import { HttpError } from "../../http/errors.ts";
import type { CatalogContext } from "../context.ts";
import { PIN_FOLDER, parsePin } from "../pins/object.ts";
import { MAX_WRITTEN, pinRow, savePin, writePins } from "../pins/pins.ts";
import { resolveKey } from "../publish/settle.ts";
import { saveCompanion } from "../rows/companions.ts";
import { note } from "../rows/findings.ts";
import { type Run, saveRun } from "../runs/runs.ts";
import { doItems, type Item, LAST, listPage, type Page } from "../scan/pages.ts";

/** No companion that says inside to what it belongs is larger. Bytes. */
const MAX_BYTES = 64 * 1024;

/** Reads those that have no row: one bucket operation each, once. */
export async function reindexCompanions(c: CatalogContext, run: Run): Promise<number> {
  const folder = COMPANION_FOLDERS.find((folder) => run.checkpoint < endOf(folder)) ?? COMPANION_FOLDERS[0];
  const page = await listPage(c, { prefix: folder }, run.checkpoint > folder ? run.checkpoint : "");
  const listed = JSON.stringify(page.objects.map(({ key }) => key));
  const unknown = c.sql
    .exec<{ key: string }>(
      "SELECT value AS key FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM companions WHERE key = value)",
      listed,
    )
    .toArray();
  const items = unknown.map(({ key }): Item => ({ key, cost: 1, work: () => readCompanion(c, key) }));
  const isLastFolder = folder === COMPANION_FOLDERS.at(-1);
  const end = page.end === LAST && !isLastFolder ? endOf(folder) : page.end;
  const { cost } = await doItems(c, run, items, end);
  saveRun(c, run);
  return cost;
}

/** "0" is the character after "/". */
function endOf(folder: string): string {
  return folder.replace("/", "0");
}

async function readCompanion(c: CatalogContext, key: string): Promise<void> {
  const text = await readText(c, key);
  // A push may have told meanwhile, and knows better.
  if (
    text !== undefined &&
    c.sql.exec("SELECT 1 FROM companions WHERE key = ?", key).toArray().length === 0
  ) {
    saveCompanion(c, key, ownerOf(key, text));
  }
}

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

/** `undefined` where there is none, or none that can be read. One bucket operation. */
async function readText(c: CatalogContext, key: string): Promise<string | undefined> {
  const object = await bucketOperation("get", () => c.bucket.get(key));
  if (object === null) return undefined;
  if (object.size > MAX_BYTES) {
    await object.body.cancel();
    return undefined;
  }
  const bytes = await bucketOperation("get", () => object.bytes());
  const coding = knownCoding(object.httpMetadata?.contentEncoding);
  try {
    return decodeUtf8(coding === undefined ? bytes : await decode(bytes, coding, MAX_BYTES));
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    // Nobody could read it: it belongs to nothing that is known.
    return undefined;
  }
}
