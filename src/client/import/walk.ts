// Which paths of another cache are to be imported: from the named ones down, as far as this cache lacks them.
import { parseCacheInfo } from "../../nix/cache-info.ts";
import { FormatError } from "../../nix/format-error.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import { lineOf } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";
import { missingOf } from "../push/missing.ts";
import { slots } from "../push/schedule.ts";
import type { Source } from "./source.ts";

export interface Walk {
  /** By base name. */
  readonly infos: ReadonlyMap<string, NarInfo>;
  /** Paths that are needed and that the source does not have, or not in order. */
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  /** Named paths that are here. */
  readonly present: number;
}

/** Narinfos that are fetched at once. */
const FETCHING = 16;

/** Level by level, one question for each. What is here has its closure here, so the walk ends at it. */
export async function walk(
  cache: Cache,
  source: Source,
  hashes: readonly string[],
  storeDir: string,
  onFound: (count: number) => void,
): Promise<Walk> {
  const infos = new Map<string, NarInfo>();
  const failed: { path: string; reason: string }[] = [];
  const seen = new Set(hashes);
  const fetching = slots(FETCHING);
  let present = 0;
  for (let level = [...seen], isFirst = true; level.length > 0; isFirst = false) {
    const missing = [...(await missingOf(cache, level))];
    if (isFirst) present = level.length - missing.length;
    const next: string[] = [];
    await Promise.all(
      missing.map((hash) =>
        fetching(async () => {
          const info = await read(hash);
          if (info === undefined) return;
          infos.set(info.storePath.baseName, info);
          for (const reference of info.references) {
            const other = reference.slice(0, hash.length);
            if (seen.has(other)) continue;
            seen.add(other);
            next.push(other);
          }
          onFound(infos.size);
        }),
      ),
    );
    level = next;
  }
  return { infos, failed, present };

  async function read(hash: string): Promise<NarInfo | undefined> {
    const text = await source.narInfo(hash);
    if (text === undefined) {
      failed.push({ path: hash, reason: "the source does not have it" });
      return undefined;
    }
    try {
      return parseNarInfo(text, storeDir);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      failed.push({ path: hash, reason: lineOf(error) });
      return undefined;
    }
  }
}

/** The store directory of a folder or HTTP cache, by its nix-cache-info. */
export function storeDirIn(cacheInfo: string): string {
  return parseCacheInfo(cacheInfo).storeDir ?? "/nix/store";
}
