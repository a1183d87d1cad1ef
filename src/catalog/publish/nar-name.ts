// A narinfo as another program wrote it, whose NAR was sent under that program's name: it is published with the name that
// the NAR got. No signature covers the URL.
import { narKeySha256 } from "../../bucket/nar-object.ts";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { narNamed } from "../rows/nar-names.ts";

export function withNixName(c: CatalogContext, info: NarInfo): NarInfo {
  const name = narKeyOfUrl(info.url);
  if (narKeySha256(name) !== undefined) return info;
  const url = narNamed(c, name);
  return url === undefined ? info : { ...info, url };
}
