// Uploading a narinfo: what can be said of it without knowing what else is in the cache. The catalog does the rest.

import { NARINFO } from "../bucket/kinds.ts";
import type { AskCatalog } from "../catalog-client.ts";
import type { Config, Keys } from "../config/config.ts";
import type { PublishOutcome } from "../contract/paths.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { contentCoding, decode } from "../http/encodings.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { storePathOfContentAddress } from "../nix/content-address.ts";
import { fingerprint } from "../nix/fingerprint.ts";
import { FormatError } from "../nix/format-error.ts";
import { equalHash, parseHash } from "../nix/hash.ts";
import { verify } from "../nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../nix/narinfo.ts";
import { parsePublishable } from "../nix/publishable.ts";

/** Answers PUT of `<hash>.narinfo`: parsed, trusted, and published by the catalog. */
export async function putNarInfo(
  request: Request,
  key: string,
  config: Config,
  catalog: AskCatalog,
  pushedBy: string,
): Promise<Response> {
  const info = parseUpload(await readUpload(request), key, config.storeDir);
  const isProven = await provesItself(info, config.storeDir);
  if (info.ca !== undefined && !isProven) {
    // No signature covers the CA, and clients fail on a wrong one: nobody may attach one to a path.
    throw new HttpError(400, `narinfo: CA: ${info.storePath.baseName} does not follow from it`);
  }
  if (!isProven) await requireSignature(info, await config.keys());
  const outcome = await catalog((c) => c.publish(formatNarInfo(info), pushedBy));
  return textLine(outcome === "created" ? 201 : 200, `${info.storePath.baseName} ${MESSAGES[outcome]}`);
}

const MESSAGES: Record<PublishOutcome, string> = {
  created: "is published",
  updated: "was here and has been brought up to date",
  unchanged: "is already here",
  "first-build-stays":
    "is already here with another content: it is not reproducible, and the first build stays",
};

async function readUpload(request: Request): Promise<string> {
  const coding = contentCoding(request.headers.get("Content-Encoding"), NARINFO.compressionSetting);
  const body = await readBody(request, NARINFO.maxBytes);
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, NARINFO.maxBytes));
}

/** Strict; the store path must be the one that the key says. Throws {@link HttpError} 400. */
function parseUpload(text: string, key: string, storeDir: string): NarInfo {
  try {
    return parsePublishable(text, key, storeDir);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `narinfo: ${error.message}`);
    throw error;
  }
}

/** One valid signature by a trusted key, where any is named. Throws 403. */
async function requireSignature(info: NarInfo, keys: Keys): Promise<void> {
  if (keys.trusted.length === 0) return;
  if ((await verify([...keys.trusted], fingerprint(info), info.signatures)) !== undefined) return;
  const names = keys.trusted.map((key) => key.name).join(", ");
  throw new HttpError(
    403,
    `${info.storePath.baseName} has no valid signature by a key that this cache trusts (${names}); sign it: nix store sign --key-file FILE PATH`,
  );
}

/**
 * Whether a path is content-addressed: its name really follows from the address that it claims. An address that is
 * the hash of the archive must be NarHash, too, or anybody could put another archive under the name; of other
 * addresses the narinfo does not tell, and the client checks them on import (Nix 2.4 and later).
 */
async function provesItself(
  { ca, storePath, references, narHash }: NarInfo,
  storeDir: string,
): Promise<boolean> {
  if (ca === undefined) return false;
  const { baseName, name } = storePath;
  if ((await storePathOfContentAddress(ca, name, references, storeDir, baseName)) !== baseName) return false;
  // With a reference to itself the path is a part of the archive, and what is hashed is not the archive as it is.
  const isNarHash = ca.startsWith("fixed:r:sha256:") && !references.includes(baseName);
  return !isNarHash || equalHash(parseHash(ca.slice("fixed:r:".length)), narHash);
}
