// Publishing a narinfo: checked, merged with what is there, signed, and only then visible.
import type { Config, Keys } from "../config.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { contentCoding, decode, knownCoding } from "../http/encodings.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { storePathOfContentAddress } from "../nix/content-address.ts";
import { fingerprint } from "../nix/fingerprint.ts";
import { FormatError } from "../nix/format-error.ts";
import { equalHash, type Hash, parseHash } from "../nix/hash.ts";
import { sign, verify } from "../nix/keys.ts";
import { compressionOfExtension, narKeyOfUrl } from "../nix/nar-url.ts";
import { formatNarInfo, type NarInfo, parseNarInfo } from "../nix/narinfo.ts";
import { bucketOperation, putSmall } from "./bucket.ts";
import { NARINFO } from "./kinds.ts";
import { mergeNarInfo } from "./merge-narinfo.ts";
import { narState } from "./stored-nar.ts";

/** Attempts at writing when others publish the same path at the same moment. */
const MAX_ATTEMPTS = 5;

/** Answers PUT of `<hash>.narinfo`, by the steps of "Publishing a narinfo". */
export async function putNarInfo(
  request: Request,
  bucket: R2Bucket,
  key: string,
  config: Config,
  purge: (path: string) => void,
): Promise<Response> {
  const incoming = parseUpload(await readUpload(request), key, config.storeDir);
  const keys = await config.keys();
  await requireTrust(incoming, keys, config.storeDir);

  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const stored = await readStored(bucket, key, config.storeDir);
    const decision = await decide(bucket, stored, incoming);
    if (decision.kind === "keep") {
      console.warn(`${key}: a different build was pushed; the path is not reproducible, the first one stays`);
      return textLine(
        200,
        `${incoming.storePath.baseName} is already here with another content; the first build stays`,
      );
    }
    const text = formatNarInfo(await withSignatures(decision.info, keys));
    if (text === stored?.text) return textLine(200, `${incoming.storePath.baseName} is already here`);
    if (await write(bucket, key, text, stored?.etag)) {
      // An absent narinfo is never cached in front (no-store), so only a changed one has to be dropped there.
      if (stored !== undefined) purge(`/${key}`);
      return textLine(stored === undefined ? 201 : 200, `published ${incoming.storePath.baseName}`);
    }
  }
  throw new HttpError(503, `${key} is being published by many clients at once; nothing is lost, try again`, {
    "Retry-After": "1",
  });
}

async function readUpload(request: Request): Promise<string> {
  const coding = contentCoding(request.headers.get("Content-Encoding"), NARINFO.compressionSetting);
  const body = await readBody(request, NARINFO.maxBytes);
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, NARINFO.maxBytes));
}

/** Step 1: strict, and the store path must be the one that the key says. Throws 400. */
function parseUpload(text: string, key: string, storeDir: string): NarInfo {
  let info: NarInfo;
  let narKey: string;
  try {
    info = parseNarInfo(text, storeDir);
    narKey = narKeyOfUrl(info.url);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `narinfo: ${error.message}`);
    throw error;
  }
  if (key !== `${info.storePath.hash}.narinfo`) {
    throw new HttpError(400, `narinfo: StorePath ${info.storePath.baseName} does not belong to ${key}`);
  }
  const compression = compressionOfExtension(narKey);
  if (compression !== undefined && compression !== info.compression) {
    throw new HttpError(
      400,
      `narinfo: Compression is ${info.compression}, but ${narKey} is named as ${compression}`,
    );
  }
  const isPlain = info.compression === "none";
  if (isPlain && info.fileHash !== undefined && !equalHash(info.fileHash, info.narHash)) {
    throw new HttpError(400, "narinfo: without compression FileHash and NarHash must be the same");
  }
  if (isPlain && info.fileSize !== undefined && info.fileSize !== info.narSize) {
    throw new HttpError(400, "narinfo: without compression FileSize and NarSize must be the same");
  }
  return info;
}

/** Step 3: one valid signature by a trusted key, except for a path that proves itself. Throws 403. */
async function requireTrust(info: NarInfo, keys: Keys, storeDir: string): Promise<void> {
  if (keys.trusted.length === 0 || (await provesItself(info, storeDir))) return;
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

interface Stored {
  readonly text: string;
  readonly etag: string;
  /** `undefined` where the object is no narinfo for this path: broken, and to be replaced. */
  readonly info: NarInfo | undefined;
}

async function readStored(bucket: R2Bucket, key: string, storeDir: string): Promise<Stored | undefined> {
  const object = await bucketOperation("get", () => bucket.get(key));
  if (object === null) return undefined;
  const bytes = await bucketOperation("get", () => object.bytes());
  try {
    const coding = knownCoding(object.httpMetadata?.contentEncoding);
    const text = decodeUtf8(coding === undefined ? bytes : await decode(bytes, coding, NARINFO.maxBytes));
    const info = parseUpload(text, key, storeDir);
    return { text, etag: object.etag, info };
  } catch (error) {
    // What is there is unreadable for clients, too: a push of the same path heals it.
    if (error instanceof HttpError && error.status < 500)
      return { text: "", etag: object.etag, info: undefined };
    throw error;
  }
}

type Decision = { readonly kind: "keep" } | { readonly kind: "write"; readonly info: NarInfo };

/** Steps 2 and 5: what the bucket should hold, given what it holds. Throws 409 where the new one's NAR is not there. */
async function decide(bucket: R2Bucket, stored: Stored | undefined, incoming: NarInfo): Promise<Decision> {
  if (stored?.info !== undefined) {
    const state = await narState(bucket, stored.info, false);
    if (state.kind === "whole") {
      const merge = mergeNarInfo(stored.info, incoming);
      return merge.kind === "differs"
        ? { kind: "keep" }
        : { kind: "write", info: complete(merge.info, state) };
    }
  }
  const state = await narState(bucket, incoming, true);
  if (state.kind === "broken") {
    throw new HttpError(
      409,
      `${incoming.storePath.baseName}: the NAR ${state.key} ${state.reason}; push the path again`,
    );
  }
  return { kind: "write", info: complete(incoming, state) };
}

/** With FileHash and FileSize, which Nix up to 2.34 asserts, whatever the client or another tool has left out. */
function complete(info: NarInfo, { fileHash, fileSize }: { fileHash: Hash; fileSize: number }): NarInfo {
  return { ...info, fileHash, fileSize };
}

/** Step 6: one signature by each configured key. What claims to be by one of them and is not, goes. */
async function withSignatures(info: NarInfo, keys: Keys): Promise<NarInfo> {
  const text = fingerprint(info);
  const ours = await Promise.all(keys.signing.map((key) => sign(key, text)));
  const names = keys.signing.map((key) => `${key.name}:`);
  const kept = info.signatures.filter(
    (signature) => ours.includes(signature) || !names.some((name) => signature.startsWith(name)),
  );
  return { ...info, signatures: [...new Set([...kept, ...ours])] };
}

/** Writes unless somebody else wrote in between (then false): nobody's signature is lost. */
function write(bucket: R2Bucket, key: string, text: string, etag: string | undefined): Promise<boolean> {
  const onlyIf = etag === undefined ? { etagDoesNotMatch: "*" } : { etagMatches: etag };
  const httpMetadata = { contentType: NARINFO.contentType };
  return putSmall(bucket, key, new TextEncoder().encode(text), { onlyIf, httpMetadata });
}
