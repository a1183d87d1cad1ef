// Content encodings: what a client accepts, and undoing what a client has put on a body.
import { HttpError } from "./errors.ts";

/** The codings that this server can undo. The client's own name for gzip may be `x-gzip` (RFC 9110, 8.4.1.3). */
const CODINGS = ["br", "gzip", "zstd"] as const;
export type Coding = (typeof CODINGS)[number];

/** The coding of an uploaded body, or `undefined` for a plain one. `setting` is what the client should change. */
export function contentCoding(header: string | null, setting: string): Coding | undefined {
  const name = header?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  const coding = knownCoding(name);
  if (coding !== undefined) return coding;
  throw new HttpError(
    415,
    `Content-Encoding '${name}' is not supported: set ${setting} to br, gzip, zstd or none in the store URL`,
    { "Accept-Encoding": CODINGS.join(", ") },
  );
}

/** The coding that a stored object has by its metadata; others were never made by this server. */
export function knownCoding(name: string | undefined): Coding | undefined {
  const plain = name === "x-gzip" ? "gzip" : name;
  return CODINGS.find((coding) => coding === plain);
}

/** Whether an Accept-Encoding header allows a coding (RFC 9110, 12.5.3). An absent one allows none here. */
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
 * Undoes a coding of a small body. Throws {@link HttpError} 413 when the result would exceed `limit` bytes (a
 * decompression bomb never gets further) and 400 when the body is not what it says.
 */
export async function decode(bytes: Uint8Array, coding: Coding, limit: number): Promise<Uint8Array> {
  const zlib = await import("node:zlib");
  const undo = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync, zstd: zlib.zstdDecompressSync }[
    coding
  ];
  try {
    return undo(bytes, { maxOutputLength: limit });
  } catch (error) {
    // zlib's own error texts name internals; the code tells the two cases apart.
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      throw new HttpError(413, `the decoded body is larger than ${limit} bytes`);
    }
    throw new HttpError(400, `the body is not valid ${coding}, though its Content-Encoding says so`);
  }
}

/** Undoes a coding of a stored object while it streams, for a client that does not accept it. */
export async function decodeStream(body: ReadableStream, coding: Coding): Promise<ReadableStream> {
  if (coding === "gzip") return body.pipeThrough(new DecompressionStream("gzip"));
  const [zlib, { Duplex }] = await Promise.all([import("node:zlib"), import("node:stream")]);
  const undo = coding === "br" ? zlib.createBrotliDecompress() : zlib.createZstdDecompress();
  // The types of Node's web streams and of the runtime's differ; the objects are the same.
  return body.pipeThrough(Duplex.toWeb(undo) as unknown as ReadableWritablePair<Uint8Array, Uint8Array>);
}
