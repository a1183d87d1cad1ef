// Content encodings: the codings that a client accepts, and decoding.
import type { Duplex } from "node:stream";
import { HttpError } from "./errors.ts";

/** The codings that this server can decode. Clients may call gzip `x-gzip` (RFC 9110, section 8.4.1.3). */
const CODINGS = ["br", "gzip", "zstd"] as const;
export type Coding = (typeof CODINGS)[number];

/** Larger than the runtime's first buffers for zlib. */
const BUFFER_BYTES = 64 * 1024;

/**
 * The coding of an uploaded body, or `undefined` for a plain one. `setting` names Nix's setting for it, for the message.
 * Throws {@link HttpError} 415.
 */
export function contentCoding(header: string | null, setting?: string): Coding | undefined {
  const name = header?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  const coding = knownCoding(name);
  if (coding !== undefined) return coding;
  const advice =
    setting === undefined
      ? "send it plain, or as br, gzip or zstd"
      : `set ${setting} to br, gzip, zstd or none in the store URL`;
  throw new HttpError(415, `Content-Encoding '${name}' is not supported: ${advice}`, {
    "Accept-Encoding": CODINGS.join(", "),
  });
}

/** The coding of a stored object by its metadata; `undefined` for one that this server cannot decode. */
export function knownCoding(name: string | undefined): Coding | undefined {
  const plain = name === "x-gzip" ? "gzip" : name;
  return CODINGS.find((coding) => coding === plain);
}

/**
 * The Accept-Encoding of the client itself. Cloudflare's edge replaces the header (by `gzip, br`) and keeps the
 * client's in `cf`. In tests there is no edge.
 */
export function acceptEncoding(request: Request): string | null {
  if (request.cf === undefined) return request.headers.get("Accept-Encoding");
  const { clientAcceptEncoding } = request.cf;
  return typeof clientAcceptEncoding === "string" ? clientAcceptEncoding : null;
}

/**
 * Whether an Accept-Encoding header allows a coding (RFC 9110, section 12.5.3). Here an absent header allows none.
 */
export function accepts(header: string | null, coding: string): boolean {
  let wildcard = false;
  for (const element of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = element.split(";").map((part) => part.trim());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    if (name === coding || (coding === "gzip" && name === "x-gzip")) return !refused;
    if (name === "*") wildcard = !refused;
  }
  return wildcard;
}

/**
 * Decodes a small body. Throws {@link HttpError} 413 if the result exceeds `limit` bytes (decompression bombs) and
 * 400 if the body does not have the coding.
 */
export async function decode(bytes: Uint8Array, coding: Coding, limit: number): Promise<Uint8Array> {
  const zlib = await import("node:zlib");
  const undo = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync, zstd: zlib.zstdDecompressSync }[
    coding
  ];
  let plain: Uint8Array;
  try {
    // The runtime compares its buffer, which grows by up to two thirds at a time, and not the bytes in it: `limit`
    // itself would refuse results within the limit.
    plain = undo(bytes, { maxOutputLength: 2 * limit + BUFFER_BYTES });
  } catch (error) {
    // The runtime's counterpart of Node's ERR_BUFFER_TOO_LARGE.
    if (error instanceof RangeError) throw tooLarge(limit);
    throw new HttpError(400, `the body is not valid ${coding}, though its Content-Encoding says so`);
  }
  if (plain.byteLength > limit) throw tooLarge(limit);
  return plain;
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, `the decoded body is larger than ${limit} bytes`);
}

/** Decodes a stored object as it streams, for a client that does not accept its coding. */
export async function decodeStream(body: ReadableStream, coding: Coding): Promise<ReadableStream> {
  if (coding === "gzip") return body.pipeThrough(new DecompressionStream("gzip"));
  const { Duplex } = await import("node:stream");
  const undo = await createDecoder(coding);
  // The types of Node's web streams and of the runtime's differ; the objects are the same.
  return body.pipeThrough(Duplex.toWeb(undo) as unknown as ReadableWritablePair<Uint8Array, Uint8Array>);
}

async function createDecoder(coding: "br" | "zstd"): Promise<Duplex> {
  if (coding === "br") return (await import("./brotli.ts")).createBrotliDecoder(BUFFER_BYTES);
  return (await import("node:zlib")).createZstdDecompress();
}
