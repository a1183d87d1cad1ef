/** Which narinfos may be published: those that every client can use. */

import { FormatError } from "./format-error.ts";
import { equalHash } from "./hash.ts";
import { compressionOfExtension, narKeyOfUrl, requirePlainUrl } from "./nar-url.ts";
import { type NarInfo, parseNarInfo } from "./narinfo.ts";

/** Reads the narinfo that is to have this key, `<hash>.narinfo`, where one is given. Throws FormatError, naming the field. */
export function parsePublishable(text: string, key: string | undefined, storeDir: string): NarInfo {
  const info = parseNarInfo(text, storeDir);
  checkConsistency(info, key);
  return info;
}

/** Refuses a narinfo that is well-formed but useless to clients. */
function checkConsistency(info: NarInfo, key: string | undefined): void {
  if (key !== undefined && key !== `${info.storePath.hash}.narinfo`) {
    throw new FormatError(`StorePath ${info.storePath.baseName} does not belong to ${key}`);
  }
  requireUsable(info);
  requirePlainUrl(info.url);
  const narKey = narKeyOfUrl(info.url);
  const compression = compressionOfExtension(narKey);
  if (compression !== undefined && compression !== info.compression) {
    throw new FormatError(`Compression is ${info.compression}, but ${narKey} is named as ${compression}`);
  }
}

/** The checks that do not depend on where its NAR is. Throws FormatError, naming the field. */
export function requireUsable(info: NarInfo): void {
  const { baseName, hash } = info.storePath;
  if (info.references.some((reference) => reference.startsWith(hash) && reference !== baseName)) {
    throw new FormatError(`References: the path's own hash stands there under another name than ${baseName}`);
  }
  if (info.fileHash?.algorithm === "blake3") {
    throw new FormatError(
      "FileHash is a blake3 hash, which most Nix versions cannot read; leave it out or use sha256",
    );
  }
  if (info.compression !== "none") return;
  if (info.fileHash !== undefined && !equalHash(info.fileHash, info.narHash)) {
    throw new FormatError("without compression FileHash and NarHash must be the same");
  }
  if (info.fileSize !== undefined && info.fileSize !== info.narSize) {
    throw new FormatError("without compression FileSize and NarSize must be the same");
  }
}
