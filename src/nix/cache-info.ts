/** `nix-cache-info`, a cache's description of itself. */

import { FormatError, quote } from "./format-error.ts";

export interface CacheInfo {
  /** A client with another store directory refuses the cache. */
  storeDir: string;
  /** Whether a client may ask for many paths at once. */
  wantMassQuery: boolean;
  /** Lower is asked first; cache.nixos.org is 40. */
  priority: number;
}

/** Writes all three: to Nix an absent Priority is 0, ahead of every other cache. */
export function formatCacheInfo(info: CacheInfo): string {
  return `StoreDir: ${info.storeDir}\nWantMassQuery: ${info.wantMassQuery ? 1 : 0}\nPriority: ${info.priority}\n`;
}

/**
 * Parses leniently, as Nix does: lines without a colon and unknown keys are ignored, and the last of several wins.
 * Throws FormatError on a Priority that is no integer.
 */
export function parseCacheInfo(text: string): Partial<CacheInfo> {
  const info: Partial<CacheInfo> = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const key = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (key === "StoreDir") info.storeDir = value;
    else if (key === "WantMassQuery") info.wantMassQuery = value === "1";
    else if (key === "Priority") info.priority = parsePriority(value);
  }
  return info;
}

function parsePriority(text: string): number {
  const priority = Number(text);
  if (!/^-?[0-9]+$/.test(text) || !Number.isSafeInteger(priority)) {
    throw new FormatError(`Priority: ${quote(text)} is not an integer`);
  }
  return priority;
}
