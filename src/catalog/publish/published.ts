// Reads a narinfo as it is in the bucket and as clients see it.

import { NARINFO } from "../../bucket/kinds.ts";
import { readText } from "../../bucket/text.ts";
import { FormatError } from "../../nix/format-error.ts";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { type Push, pushOf } from "../objects.ts";

export interface Published extends Omit<Push, "lastPush"> {
  readonly info: NarInfo;
  readonly text: string;
  /** R2's, without quotes. */
  readonly etag: string;
  /** When it was last pushed, in milliseconds since the epoch. */
  readonly uploaded: number;
}

/** An object that no client can read as the narinfo of its path. */
export interface Unreadable {
  readonly unreadable: string;
  readonly etag: string;
  /** It may be readable for others: of another store, or in a form that only this catalog cannot read. */
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
  if ("unreadable" in stored) return { unreadable: stored.unreadable, etag, mayBeSound: stored.mayBeSound };
  const { text } = stored;
  const { storeDir } = c.config;
  try {
    const info = parseNarInfo(text, storeDir);
    narKeyOfUrl(info.url);
    if (info.storePath.hash !== hash)
      throw new FormatError(`StorePath ${info.storePath.baseName} is another path`);
    const { lastPush, ...push } = pushOf(object);
    return { info, text, etag, uploaded: lastPush, ...push };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const nar = narOf(text);
    const mayBeSound = isOfAnotherStore(text, hash, storeDir) || isOfNewerNix(text, hash, storeDir);
    return { unreadable: error.message, etag, mayBeSound, ...(nar !== undefined && { nar }) };
  }
}

/** A STORE_DIR that was changed by mistake must not make every narinfo look damaged. */
function isOfAnotherStore(text: string, hash: string, storeDir: string): boolean {
  const [, dir, name] = /^StorePath: (\/.*)\/([^/\n]+)$/m.exec(text) ?? [];
  return name?.startsWith(`${hash}-`) === true && dir !== storeDir;
}

/** Valid but for fields that newer versions of Nix may extend. */
function isOfNewerNix(text: string, hash: string, storeDir: string): boolean {
  return readable(text.replace(/^(CA|Compression|Sig): .*\n/gm, ""), storeDir)?.storePath.hash === hash;
}

/** `undefined` for a text that no client of this cache can read: a push replaces it. */
export function readable(text: string, storeDir: string): NarInfo | undefined {
  try {
    const info = parseNarInfo(text, storeDir);
    narKeyOfUrl(info.url);
    return info;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function narOf(text: string): string | undefined {
  const url = /^URL: (.*)$/m.exec(text)?.[1];
  if (url === undefined) return undefined;
  try {
    return narKeyOfUrl(url);
  } catch {
    // It names no object of this bucket.
    return undefined;
  }
}
