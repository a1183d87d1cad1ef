// Rewrites the narinfo of a path with the signatures that it should have. It is written like a publication: under the
// path's lock, with an intent, only over the etag that the catalog knows. So a push or a deletion comes before or after
// it. Push times, pusher and last use stay as they are.
import { FormatError } from "../../nix/format-error.ts";
import { parseNarInfo } from "../../nix/narinfo.ts";
import { UNKNOWN_SIZE } from "../../nix/stored-narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { Refused } from "../refuse.ts";
import { type SignedPath, saveSignatures, signedPath, signersOf } from "../rows/paths.ts";
import { referencesOf } from "../rows/references.ts";
import { indexPublished } from "./index-published.ts";
import { inspectPublished } from "./published.ts";
import { resolveKey } from "./resolve.ts";
import { hasSameSignatures, signerOf, textOf, withSignatures } from "./signatures.ts";
import { publishing, writeNarInfo } from "./write-narinfo.ts";

/** Bucket operations for one narinfo: a write, or two and a read where the catalog did not know its content. */
export const REWRITE_COST = 3;
/** How often the bucket may hold another content than the catalog knows, before the path is skipped. */
const MAX_ATTEMPTS = 2;

export interface Rewrite {
  /** The name of a key whose signatures go. */
  readonly drop: string | null;
  /** Done in the transaction that writes the row. */
  readonly alongside?: () => void;
}

/** `unreadable`: the narinfo cannot be read, is gone or changing, or would be too large. */
export type Rewritten = "rewritten" | "unchanged" | "unreadable";

export function rewriteSignatures(c: CatalogContext, hash: string, rewrite: Rewrite): Promise<Rewritten> {
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const row = signedPath(c, hash);
      // Deleted meanwhile.
      if (row === undefined) return "unchanged";
      const text = await resigned(c, row.narinfo, rewrite.drop);
      if (text === row.narinfo) return "unchanged";
      if (text === undefined) break;
      if (await write(c, row, text, rewrite)) return "rewritten";
      const found = await inspectPublished(c, hash);
      // Missing or damaged: a check repairs that.
      if (found === undefined || "unreadable" in found) break;
      c.transaction(() => indexPublished(c, found));
    }
    return "unreadable";
  });
}

/** False where the bucket holds another content than the row. */
function write(c: CatalogContext, row: SignedPath, text: string, { alongside }: Rewrite): Promise<boolean> {
  const { hash } = row;
  return publishing(c, hash, { nars: [row.nar], references: referencesOf(c, hash) }, async () => {
    const push = { pushedBy: row.pushed_by, firstPush: row.first_push, lastPush: row.last_push };
    const stored = { text: row.narinfo, etag: row.etag };
    const outcome = await writeNarInfo(c, { hash, text, stored, push }, ({ etag }) =>
      c.transaction(() => {
        const signers = signersOf(parseNarInfo(text, c.config.storeDir));
        saveSignatures(c, { hash, narinfo: text, etag, signers });
        alongside?.();
      }),
    );
    return outcome.kind !== "conflict";
  });
}

/**
 * A narinfo with the signatures that it should have: the same text where it has them, `undefined` where it cannot be
 * read or would be too large.
 */
export async function resigned(
  c: CatalogContext,
  text: string,
  drop: string | null,
): Promise<string | undefined> {
  try {
    const info = parseNarInfo(text, c.config.storeDir);
    // Another size would be written, which the signatures do not sign.
    if (info.narSize === UNKNOWN_SIZE) return text;
    const kept = info.signatures.filter((signature) => signerOf(signature) !== drop);
    const signed = await withSignatures(c, { ...info, signatures: kept }, () => verdictNow(c, info));
    // Another form of the other fields is no reason to write.
    return hasSameSignatures(signed, info) ? text : textOf(signed);
  } catch (error) {
    if (error instanceof FormatError || error instanceof Refused) return undefined;
    throw error;
  }
}
