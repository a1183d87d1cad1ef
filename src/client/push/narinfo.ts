// The narinfo of a path of the local store.
import { type Compression, formatNarInfo } from "../../nix/narinfo.ts";
import { checkBaseName, type StorePath } from "../../nix/store-path.ts";
import type { PathInfo } from "../store/path-info.ts";
import type { Packed } from "./pack.ts";

export function narInfoOf(
  info: PathInfo,
  { key, fileHash, spool }: Packed,
  compression: Compression,
): string {
  const { narHash, narSize, references, deriver, signatures, ca } = info;
  return formatNarInfo({
    storePath: baseNameOf(info.path),
    url: key,
    compression,
    fileHash,
    fileSize: spool.size,
    narHash,
    narSize,
    references: references.map((reference) => baseNameOf(reference).baseName).sort(),
    ...(deriver !== undefined && { deriver: baseNameOf(deriver).baseName }),
    signatures: [...signatures],
    ...(ca !== undefined && { ca }),
    extra: [],
  });
}

/** Throws FormatError. */
export function baseNameOf(path: string): StorePath {
  const at = path.lastIndexOf("/");
  const baseName = path.slice(at + 1);
  return { storeDir: path.slice(0, at), baseName, ...checkBaseName(baseName) };
}
