// Verifies one NAR: it is read, and every path that has it gets what follows. A crash anywhere is harmless: the NAR stays
// queued until all of it is done, and doing it again changes nothing.
import { FormatError } from "../../nix/format-error.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { type Reading, readContent } from "../facts/read.ts";
import { claimOf, verdictOf } from "../facts/verdict.ts";
import { type QueuedNar, unqueueNar } from "../rows/nars.ts";
import { pathsOfNar } from "../rows/paths.ts";
import { confirmPath } from "./confirm.ts";
import { deleteUnusedNar, removeFalsePath } from "./remove.ts";

/** Paths with one NAR that are looked at together: thousands may share that of an empty directory. */
const PATHS_BATCH = 500;

/** Returns the bytes that the narinfos claim for the NAR. */
export async function verifyNar(c: CatalogContext, { key, queued }: QueuedNar): Promise<number> {
  let bytes = 0;
  let hasFalse = false;
  for (let after: string | undefined = ""; after !== undefined; ) {
    const rows = pathsOfNar(c, key, after, PATHS_BATCH);
    after = rows.at(-1)?.hash;
    const paths = rows.flatMap(({ narinfo }) => infoOf(c, narinfo) ?? []);
    if (paths.length === 0) continue;
    const reading = await readContent(c, key, paths.map(claimOf));
    // Without its object a check finds the paths.
    if (reading === undefined) break;
    for (const info of paths) {
      bytes = Math.max(bytes, info.narSize);
      if (await settlePath(c, key, info, reading)) hasFalse = true;
    }
  }
  if (hasFalse) await deleteUnusedNar(c, key);
  unqueueNar(c, key, queued);
  return bytes;
}

/** True where the path was false and is gone. */
async function settlePath(
  c: CatalogContext,
  nar: string,
  info: NarInfo,
  { facts, listing }: Reading,
): Promise<boolean> {
  if (verdictOf(facts, claimOf(info)).kind === "false") {
    await removeFalsePath(c, info.storePath.hash, nar);
    return true;
  }
  await confirmPath(c, info, listing);
  return false;
}

/** `undefined` for a narinfo that this cache cannot read; a check reports it. */
function infoOf(c: CatalogContext, narinfo: string): NarInfo | undefined {
  try {
    return parseNarInfo(narinfo, c.config.storeDir);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
