// Narinfos that need no signature, because the name of the path follows from its content.
import { storePathOfContentAddress } from "./content-address.ts";
import { equalHash, parseHash } from "./hash.ts";
import type { NarInfo } from "./narinfo.ts";

/**
 * Whether a path is content-addressed: its name follows from its CA. If the address is the hash of the archive, it
 * must equal NarHash: otherwise the narinfo could offer another archive under this name. Other addresses cannot be
 * checked with the narinfo alone; Nix checks them on import, from 2.4 on.
 */
export async function provesItself(
  { ca, storePath, references, narHash }: NarInfo,
  storeDir: string,
): Promise<boolean> {
  if (ca === undefined) return false;
  const { baseName, name } = storePath;
  if ((await storePathOfContentAddress(ca, name, references, storeDir, baseName)) !== baseName) return false;
  // A path that refers to itself is hashed without its own hash part, so the address is not NarHash.
  const isNarHash = ca.startsWith("fixed:r:sha256:") && !references.includes(baseName);
  return !isNarHash || equalHash(parseHash(ca.slice("fixed:r:".length)), narHash);
}
