// Resigning one path: written like a publication of it, under the path's lock, with an intention, over nothing but what
// the catalog knows. So a push or a deletion comes before or after it. It is nobody's push: when
// the path was pushed and by whom, and when it was last wanted, stays as it is.
import { HttpError } from "../../http/errors.ts";
import { FormatError } from "../../nix/format-error.ts";
import { parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { inspectPublished } from "../publish/published.ts";
import { resolveKey } from "../publish/settle.ts";
import { signerOf, textOf, withSignatures } from "../publish/signatures.ts";
import { publishing, writeNarInfo } from "../publish/write-narinfo.ts";
import { note } from "../rows/findings.ts";
import { indexPath, isIncomplete, referencesOf, signersOf } from "../rows/paths.ts";
import { type Run, saveRun } from "../runs/runs.ts";

/** Bucket operations for one narinfo: a write, or two and a look where the catalog did not know what is there. */
export const COST = 3;
/** How often the bucket may hold something else than the catalog knows, before the path is passed by. */
const MAX_ATTEMPTS = 2;

/** What a resign keeps between its steps. */
export interface Resigning {
  readonly drop: string | null;
  /** The keys with which it signs, as public keys: with others it begins again. */
  keys: readonly string[];
  /** Paths looked at so far. */
  paths: number;
  /** Narinfos written so far. */
  resigned: number;
  /** Hash parts of those that the edge has not been told of yet. Written with the rows: a death does not lose them. */
  unpurged?: readonly string[];
}

/** The count of it is written with it, so that a step that is done again counts nothing twice. */
export function resignPath(c: CatalogContext, run: Run, hash: string): Promise<void> {
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const row = signedRow(c, hash);
      // Deleted since the step began.
      if (row === undefined) return;
      const text = await resigned(c, row.narinfo, resigningOf(run).drop);
      // Pushed since, with the keys of now.
      if (text === row.narinfo) return;
      if (text === undefined) break;
      if (await rewrite(c, run, row, text)) return;
      const found = await inspectPublished(c, hash);
      // Gone or damaged, which a check mends.
      if (found === undefined || "unreadable" in found) break;
      c.transaction(() => indexPath(c, { ...found, isIncomplete: isIncomplete(c, found.info) }));
    }
    const why = "cannot be read, is gone or changing, or would be too large; POST /api/v1/check says more";
    note(c, "resign", "unreadable-narinfo", hash, why);
  });
}

interface SignedRow extends Record<string, SqlStorageValue> {
  hash: string;
  nar: string;
  narinfo: string;
  etag: string;
  first_push: number;
  last_push: number;
  pushed_by: string;
}

function signedRow(c: CatalogContext, hash: string): SignedRow | undefined {
  return c.sql
    .exec<SignedRow>(
      "SELECT hash, nar, narinfo, etag, first_push, last_push, pushed_by FROM paths WHERE hash = ?",
      hash,
    )
    .toArray()[0];
}

/** False where the bucket holds something else than the row says. */
function rewrite(c: CatalogContext, run: Run, row: SignedRow, text: string): Promise<boolean> {
  const { hash } = row;
  return publishing(c, hash, { nars: [row.nar], references: referencesOf(c, hash) }, async (publication) => {
    const push = { pushedBy: row.pushed_by, firstPush: row.first_push, lastPush: row.last_push };
    const stored = { text: row.narinfo, etag: row.etag };
    const written = await writeNarInfo(c, publication, hash, text, stored, push);
    if (written === undefined) return false;
    c.transaction(() => {
      c.sql.exec(
        "UPDATE paths SET narinfo = ?, etag = ?, signers = ? WHERE hash = ?",
        text,
        written.etag,
        signersOf(parseNarInfo(text, c.config.storeDir)),
        hash,
      );
      const resigning = resigningOf(run);
      resigning.resigned++;
      resigning.unpurged = [...(resigning.unpurged ?? []), hash];
      saveRun(c, run);
    });
    publication.unconfirmed = false;
    return true;
  });
}

/**
 * A narinfo with the signatures that it should have: the same text where it has them. `undefined` where that cannot be:
 * nobody can read it, or it would be too large.
 */
export async function resigned(
  c: CatalogContext,
  text: string,
  drop: string | null,
): Promise<string | undefined> {
  try {
    const info = parseNarInfo(text, c.config.storeDir);
    const kept = info.signatures.filter((signature) => signerOf(signature) !== drop);
    const { signatures } = await withSignatures(c, { ...info, signatures: kept });
    // Another order is no reason to write, nor is another form of the rest.
    if ([...signatures].sort().join() === [...info.signatures].sort().join()) return text;
    return textOf({ ...info, signatures });
  } catch (error) {
    if (error instanceof FormatError || error instanceof HttpError) return undefined;
    throw error;
  }
}

export function resigningOf({ resigning }: Run): Resigning {
  if (resigning === undefined) throw new Error("a resign without its state");
  return resigning;
}
