/** The text that a path's signature signs (ValidPathInfo::fingerprint in libstore/path-info.cc). */

import { formatHash } from "./hash.ts";
import type { NarInfo } from "./narinfo.ts";
import { formatStorePath } from "./store-path.ts";

/**
 * `1;<store path>;<nar hash>;<nar size>;<full references, sorted, joined by commas>`. Without references it ends
 * in the semicolon. URL, compression, deriver and CA are not part of it: a signature outlives a recompression.
 */
export function fingerprint(info: NarInfo): string {
  // Store paths are ASCII, so the default order is the byte order of Nix's std::set.
  const references = [...new Set(info.references)].sort().map((name) => `${info.storePath.storeDir}/${name}`);
  return `1;${formatStorePath(info.storePath)};${formatHash(info.narHash)};${info.narSize};${references.join(",")}`;
}
