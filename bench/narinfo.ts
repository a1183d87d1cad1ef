// Narinfos of store paths that were made up of a number.
import { pathName, storeHash } from "./catalog-paths.ts";

/** As long as the usual narinfo of nixpkgs: some references (base names), one signature, a deriver. */
export function narInfoOf(index: number, references: readonly string[]): string {
  const nar = storeHash(index, 52);
  return [
    `StorePath: /nix/store/${pathName(index)}`,
    `URL: nar/${nar}.nar.xz`,
    "Compression: xz",
    `FileHash: sha256:${nar}`,
    `FileSize: ${10_000 + index}`,
    `NarHash: sha256:${nar}`,
    `NarSize: ${50_000 + index}`,
    `References: ${references.join(" ")}`,
    `Deriver: ${pathName(index)}.drv`,
    `Sig: cache.example.org-1:${new Uint8Array(64).fill(index % 251).toBase64()}`,
    "",
  ].join("\n");
}
