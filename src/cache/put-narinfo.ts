// Uploading a narinfo: the checks that need only the narinfo itself. The catalog does the rest.
import { NARINFO } from "../bucket/kinds.ts";
import type { Keys } from "../config/config.ts";
import type { Handler } from "../context.ts";
import type { PublishOutcome } from "../contract/paths.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { contentCoding, decode } from "../http/encodings.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { fingerprint } from "../nix/fingerprint.ts";
import { FormatError } from "../nix/format-error.ts";
import { verify } from "../nix/keys.ts";
import { narPlaceOf } from "../nix/nar-url.ts";
import { formatNarInfo, type NarInfo } from "../nix/narinfo.ts";
import { parsePublishable } from "../nix/publishable.ts";
import { provesItself } from "../nix/self-proof.ts";
import { publishOnUpstreams } from "./publish-on-upstreams.ts";
import { published } from "./published.ts";

/** Answers PUT of `<hash>.narinfo`: parsed, trusted, and published by the catalog. */
export const putNarInfo: Handler = async (context) => {
  const { request, path, config, identity, recentNars } = context;
  const info = parseUpload(await readUpload(request), path, config.storeDir);
  const isProven = await provesItself(info, config.storeDir);
  if (info.ca !== undefined && !isProven) {
    // Signatures do not cover the CA, and clients fail on a wrong one.
    throw new HttpError(400, `narinfo: CA: ${info.storePath.baseName} does not follow from it`);
  }
  if (!isProven) await requireSignature(info, await config.keys());
  const text = formatNarInfo(info);
  const nar = recentNars.find(config.cacheName, narPlaceOf(info.url).key);
  const { outcome, headers } = await published(
    request,
    path,
    (condition) =>
      publishOnUpstreams(context, (c, upstream) =>
        c.publishIf(text, identity.name, condition, upstream, nar),
      ),
    () => publishOnUpstreams(context, (c, upstream) => c.publish(text, identity.name, upstream, nar)),
  );
  return textLine(
    outcome === "created" ? 201 : 200,
    `${info.storePath.baseName} ${MESSAGES[outcome]}`,
    headers,
  );
};

const MESSAGES: Record<PublishOutcome, string> = {
  created: "is published",
  updated: "was here and has been brought up to date",
  unchanged: "is already here",
  "kept-existing": "is already here with another content: it is not reproducible, and the first build stays",
};

async function readUpload(request: Request): Promise<string> {
  const coding = contentCoding(request.headers.get("Content-Encoding"), NARINFO.compressionSetting);
  const body = await readBody(request, NARINFO.maxBytes);
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, NARINFO.maxBytes));
}

/** Strict; the store path must match the key. Throws {@link HttpError} 400. */
function parseUpload(text: string, key: string, storeDir: string): NarInfo {
  try {
    return parsePublishable(text, key, storeDir);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `narinfo: ${error.message}`);
    throw error;
  }
}

/** Requires a valid signature by a trusted key, if the cache has trusted keys. Throws {@link HttpError} 403. */
async function requireSignature(info: NarInfo, keys: Keys): Promise<void> {
  if (keys.trusted.length === 0) return;
  if ((await verify([...keys.trusted], fingerprint(info), info.signatures)) !== undefined) return;
  const names = keys.trusted.map((key) => key.name).join(", ");
  throw new HttpError(
    403,
    `${info.storePath.baseName} has no valid signature by a key that this cache trusts (${names}); sign it: nix store sign --key-file FILE PATH`,
  );
}
