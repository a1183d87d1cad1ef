// Which paths of another cache are to be imported: from the named ones down, as far as this cache lacks them.
import { parseCacheInfo } from "../../nix/cache-info.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import { Failure, lineOf } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";
import { missingOf } from "../push/missing.ts";
import { type FailedPath, slots } from "../push/schedule.ts";
import type { Source } from "./source.ts";

export interface Walk {
  /** By base name. */
  readonly infos: ReadonlyMap<string, NarInfo>;
  /** Paths that are needed and that the source does not have, or not in order. */
  readonly failed: readonly FailedPath[];
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
  const failed: FailedPath[] = [];
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

  /** One that cannot be read must not keep the others from being imported. */
  async function read(hash: string): Promise<NarInfo | undefined> {
    try {
      const text = await source.narInfo(hash);
      if (text === undefined) throw new Failure("failed", "the source does not have it");
      const info = parseNarInfo(text, storeDir);
      if (info.storePath.hash === hash) return info;
      throw new Failure("failed", `its narinfo is of another path: ${info.storePath.baseName}`);
    } catch (error) {
      const kept = error instanceof Failure ? error : new Failure("failed", lineOf(error));
      failed.push({ path: hash, reason: kept.message, error: kept });
      return undefined;
    }
  }
}

/** The store directory of a folder or HTTP cache, by its nix-cache-info. */
export function storeDirIn(cacheInfo: string): string {
  return parseCacheInfo(cacheInfo).storeDir ?? "/nix/store";
}
