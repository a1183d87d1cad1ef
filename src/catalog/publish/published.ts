// Reads a narinfo as it is in the bucket and as clients see it.

import { NARINFO } from "../../bucket/kinds.ts";
import { readText } from "../../bucket/text.ts";
import { FormatError } from "../../nix/format-error.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import { isReadBySomeNix, normalizeNarInfo } from "../../nix/stored-narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { type Push, pushOf } from "../objects.ts";

export interface Published extends Omit<Push, "lastPush"> {
  readonly info: NarInfo;
  /** In Nix's form, whatever program has written it. */
  readonly text: string;
  /** R2's, without quotes. */
  readonly etag: string;
  /** When it was last pushed, in milliseconds since the epoch. */
  readonly uploaded: number;
}

/** An object that this catalog cannot read as the narinfo of its path. */
export interface Unreadable {
  readonly unreadable: string;
  readonly etag: string;
  /** Some Nix may read it, of another store or another version. */
  readonly mayBeSound: boolean;
  /** The key of the NAR that it names, as far as that can be made out. */
  readonly nar?: string;
}

/** Reads `<hash>.narinfo`; `undefined` where there is none, or none that is readable. One bucket operation. */
export async function readPublished(c: CatalogContext, hash: string): Promise<Published | undefined> {
  const found = await inspectPublished(c, hash);
  return found === undefined || "unreadable" in found ? undefined : found;
}

/** Reads `<hash>.narinfo`; an unreadable one with the reason. One bucket operation. */
export async function inspectPublished(
  c: CatalogContext,
  hash: string,
): Promise<Published | Unreadable | undefined> {
  const stored = await readText(c.bucket, `${hash}.narinfo`, NARINFO.maxBytes);
  if (stored === undefined) return undefined;
  const { object } = stored;
  const { etag } = object;
  if ("unreadable" in stored) {
    const { unreadable, latin1 } = stored;
    const mayBeSound = stored.mayBeSound || (latin1 !== undefined && isReadBySomeNix(latin1, hash));
    return { unreadable, etag, mayBeSound };
  }
  try {
    const text = normalizeNarInfo(stored.text);
    const info = parseNarInfo(text, c.config.storeDir);
    if (info.storePath.hash !== hash)
      throw new FormatError(`StorePath ${info.storePath.baseName} is another path`);
    const { lastPush, ...push } = pushOf(object);
    return { info, text, etag, uploaded: lastPush, ...push };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const nar = narOf(stored.text);
    const mayBeSound = isReadBySomeNix(stored.text, hash);
    return { unreadable: error.message, etag, mayBeSound, ...(nar !== undefined && { nar }) };
  }
}

/** `undefined` for a text that no client of this cache can read: a push replaces it. */
export function readable(text: string, storeDir: string): NarInfo | undefined {
  try {
    return parseNarInfo(text, storeDir);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function narOf(text: string): string | undefined {
  const url = /^URL:.(.*)$/m.exec(text)?.[1];
  return url === undefined ? undefined : narPlaceOf(url).key;
}
