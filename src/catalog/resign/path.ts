// Resigns one path. It is written like a publication: under the path's lock, with an intent, only over the etag of
// the row. So it is atomic with respect to pushes and deletions. Push times, pusher and last use stay as they are.
import { FormatError } from "../../nix/format-error.ts";
import { parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { inspectPublished } from "../publish/published.ts";
import { resolveKey } from "../publish/resolve.ts";
import { signerOf, textOf, withSignatures } from "../publish/signatures.ts";
import { publishing, writeNarInfo } from "../publish/write-narinfo.ts";
import { Refused } from "../refuse.ts";
import { note } from "../rows/findings.ts";
import { indexPath } from "../rows/index-path.ts";
import { isIncomplete, signersOf } from "../rows/paths.ts";
import { referencesOf } from "../rows/references.ts";
import { saveRun } from "../runs/run.ts";
import type { ResignRun } from "./state.ts";

/** Bucket operations for one narinfo: a write, or two and a read if the row is outdated. */
export const COST = 3;
/** Attempts before a path that keeps changing concurrently is skipped. */
const MAX_ATTEMPTS = 2;

/** The row and its count are one transaction, so that a repeated step counts nothing twice. */
export function resignPath(c: CatalogContext, run: ResignRun, hash: string): Promise<void> {
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const row = signedRow(c, hash);
      // Deleted since the step began.
      if (row === undefined) return;
      const text = await resigned(c, row.narinfo, run.state.drop);
      // Pushed since the step began.
      if (text === row.narinfo) return;
      if (text === undefined) break;
      if (await rewrite(c, run, row, text)) return;
      const found = await inspectPublished(c, hash);
      // Missing or damaged: a check repairs that.
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

/** False where the bucket holds another content than the row. */
function rewrite(c: CatalogContext, run: ResignRun, row: SignedRow, text: string): Promise<boolean> {
  const { hash } = row;
  return publishing(c, hash, { nars: [row.nar], references: referencesOf(c, hash) }, async () => {
    const push = { pushedBy: row.pushed_by, firstPush: row.first_push, lastPush: row.last_push };
    const stored = { text: row.narinfo, etag: row.etag };
    const outcome = await writeNarInfo(c, { hash, text, stored, push }, ({ etag }) =>
      c.transaction(() => {
        c.sql.exec(
          "UPDATE paths SET narinfo = ?, etag = ?, signers = ? WHERE hash = ?",
          text,
          etag,
          signersOf(parseNarInfo(text, c.config.storeDir)),
          hash,
        );
        run.state.resigned++;
        run.state.unpurged = [...run.state.unpurged, hash];
        saveRun(c, run);
      }),
    );
    return outcome.kind !== "conflict";
  });
}

/**
 * A narinfo with the signatures that it should have: the same text if it has them, `undefined` if it cannot be read
 * or would be too large.
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
    // Another order of the signatures, or another form of the other fields, is no reason to write.
    if ([...signatures].sort().join() === [...info.signatures].sort().join()) return text;
    return textOf({ ...info, signatures });
  } catch (error) {
    if (error instanceof FormatError || error instanceof Refused) return undefined;
    throw error;
  }
}
