/** Many paths in the catalog, without objects in the bucket. */
import type { CatalogContext } from "../../src/catalog/context.ts";
import { indexPath } from "../../src/catalog/rows/index-path.ts";
import { formatNarInfo, type NarInfo } from "../../src/nix/narinfo.ts";
import { storePathOfBaseName } from "../../src/nix/store-path.ts";

/** The hash part of a made-up path. `series` is one letter of Nix's base 32. */
export function madeUpHash(series: string, n: number): string {
  return series + String(n).padStart(31, "0");
}

/** Indexes a path with this hash part that refers to others, and has a NAR of its own unless `nar` says another. */
export function indexMadeUp(
  c: CatalogContext,
  hash: string,
  references: readonly string[],
  nar = `nar/${hash.padStart(52, "0")}.nar`,
): void {
  const nameOf = (part: string) => `${part}-made-up`;
  const narHash = { algorithm: "sha256", bytes: new Uint8Array(32) } as const;
  const info: NarInfo = {
    storePath: storePathOfBaseName(nameOf(hash), c.config.storeDir),
    url: nar,
    compression: "none",
    ...{ fileHash: narHash, fileSize: 100, narHash, narSize: 100 },
    references: references.map(nameOf),
    signatures: [],
    extra: [],
  };
  const now = c.now();
  indexPath(c, {
    ...{ info, text: formatNarInfo(info), etag: "e", uploaded: now, firstPush: now, pushedBy: "test" },
  });
}

/** So many paths of a series that refer to one. Returns their hash parts. */
export function indexReferrers(c: CatalogContext, series: string, count: number, to: string): string[] {
  const hashes = Array.from({ length: count }, (_, n) => madeUpHash(series, n));
  c.transaction(() => {
    for (const hash of hashes) indexMadeUp(c, hash, [to]);
  });
  return hashes;
}
