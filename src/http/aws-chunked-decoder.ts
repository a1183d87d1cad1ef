// The framing of `aws-chunked`: chunks of `<size in hex>[;chunk-signature=<hex>]`, CRLF, data, CRLF, then a chunk of size
// 0 and the trailer.
import { type ChunkSignatures, type ChunkSigning, chunkSignatures } from "./aws-chunked-signatures.ts";
import { type Checksum, checksumOf } from "./checksums.ts";
import type { BodyFilter } from "./filtered-body.ts";
import { S3Error } from "./s3-error.ts";

export interface AwsChunkedOptions {
  /** Bytes of the content: `x-amz-decoded-content-length`. */
  readonly decodedLength: number;
  /** Set if every chunk, and the trailer, is signed. */
  readonly signing: ChunkSigning | undefined;
  /** The checksum headers that the trailer must have, in lower case; empty if there is no trailer. */
  readonly trailers: readonly string[];
}

/** Limits of the buffered text: clients need at most 85 bytes for a header, 200 for the trailer. */
const MAX_CHUNK_HEADER_BYTES = 4096;
const MAX_TRAILER_BYTES = 8192;
const LF = 10;

/** Unwraps a body and checks signatures, checksums and length. Holds only the header or trailer that it is reading. */
export class AwsChunkedDecoder implements BodyFilter {
  readonly #options: AwsChunkedOptions;
  readonly #signatures: ChunkSignatures | undefined;
  readonly #checksums: ReadonlyMap<string, Checksum>;
  #state: "header" | "data" | "data end" | "trailer" = "header";
  /** The part of the header or trailer that has arrived. */
  #text = "";
  /** Bytes of the current chunk that have not arrived. */
  #missing = 0;
  /** The signature of the current chunk. */
  #signature: string | undefined;
  /** Bytes of content so far. */
  #received = 0;

  constructor(options: AwsChunkedOptions) {
    this.#options = options;
    this.#signatures = options.signing && chunkSignatures(options.signing);
    this.#checksums = new Map(options.trailers.map((name) => [name, startChecksum(name)]));
  }

  push(piece: Uint8Array): readonly Uint8Array[] {
    const content: Uint8Array[] = [];
    let offset = 0;
    while (offset < piece.byteLength) {
      if (this.#state === "data") {
        const data = piece.subarray(offset, offset + this.#missing);
        this.#takeData(data);
        content.push(data);
        offset += data.byteLength;
      } else if (this.#state === "trailer") {
        this.#takeText(piece.subarray(offset), MAX_TRAILER_BYTES);
        offset = piece.byteLength;
      } else {
        offset = this.#takeHeader(piece, offset);
      }
    }
    return content;
  }

  end(): void {
    const { decodedLength, trailers } = this.#options;
    if (this.#state !== "trailer") throw wrongLength("less", decodedLength);
    const { lines, signature } = parseTrailer(this.#text, this.#checksums);
    if (trailers.length > 0) this.#signatures?.checkTrailer(lines, signature);
  }

  /** Consumes a chunk's header, or the line end after its data, from `start`; returns the offset after it. */
  #takeHeader(piece: Uint8Array, start: number): number {
    const found = piece.indexOf(LF, start);
    const end = found < 0 ? piece.byteLength : found + 1;
    this.#takeText(piece.subarray(start, end), MAX_CHUNK_HEADER_BYTES);
    if (found < 0) return end;
    const line = this.#text;
    this.#text = "";
    if (this.#state === "header") this.#beginChunk(line);
    else if (line === "\r\n") this.#state = "header";
    else throw malformed("a chunk is longer than its size says");
    return end;
  }

  #beginChunk(header: string): void {
    const { decodedLength } = this.#options;
    const [, size, extension] = /^([0-9a-f]{1,12})(?:;(.*))?$/i.exec(header.trim()) ?? [];
    if (size === undefined) throw malformed("a chunk does not begin with its size in hex");
    this.#missing = Number.parseInt(size, 16);
    this.#signature = /^chunk-signature=(\S+)$/.exec(extension ?? "")?.[1];
    if (this.#received + this.#missing > decodedLength) throw wrongLength("more", decodedLength);
    if (this.#missing > 0) {
      this.#state = "data";
      return;
    }
    if (this.#received < decodedLength) throw wrongLength("less", decodedLength);
    this.#signatures?.endChunk(this.#signature);
    this.#state = "trailer";
  }

  #takeData(data: Uint8Array): void {
    this.#signatures?.update(data);
    for (const checksum of this.#checksums.values()) checksum.update(data);
    this.#received += data.byteLength;
    this.#missing -= data.byteLength;
    if (this.#missing > 0) return;
    this.#signatures?.endChunk(this.#signature);
    this.#state = "data end";
  }

  #takeText(bytes: Uint8Array, limit: number): void {
    if (this.#text.length + bytes.byteLength > limit) {
      throw malformed(`a chunk's header or the trailer is longer than ${limit} bytes`);
    }
    this.#text += String.fromCharCode(...bytes);
  }
}

/**
 * Reads the trailer: lines of `name:value`, to the end of the body. Empty lines are ignored and LF alone ends a line:
 * some clients end the chunk of size 0 with an empty line before the trailer, some send no CR.
 */
function parseTrailer(
  text: string,
  checksums: ReadonlyMap<string, Checksum>,
): { readonly lines: string; readonly signature: string | undefined } {
  const fields = new Map<string, string>();
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line === "") continue;
    const [, name, value] = /^([A-Za-z0-9-]+)\s*:\s*(\S+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || fields.has(name.toLowerCase())) {
      throw malformedTrailer("the trailer must have lines of name:value, each name once");
    }
    fields.set(name.toLowerCase(), value);
  }
  const signature = fields.get("x-amz-trailer-signature");
  fields.delete("x-amz-trailer-signature");
  const wrong = [...fields.keys(), ...checksums.keys()].find(
    (name) => !(fields.has(name) && checksums.has(name)),
  );
  if (wrong !== undefined) throw malformedTrailer(`x-amz-trailer and the trailer disagree about ${wrong}`);
  for (const [name, checksum] of checksums) {
    if (checksum.result() !== fields.get(name)) {
      throw new S3Error(400, "BadDigest", `the body does not have the ${name} that the trailer says`);
    }
  }
  const sorted = [...fields].sort(([a], [b]) => (a < b ? -1 : 1));
  return { lines: sorted.map(([name, value]) => `${name}:${value}\n`).join(""), signature };
}

function startChecksum(name: string): Checksum {
  const checksum = name === "content-md5" ? undefined : checksumOf(name);
  if (checksum === undefined) {
    throw new S3Error(400, "InvalidRequest", `a trailer with ${name} is not supported`);
  }
  return checksum;
}

function malformed(message: string): S3Error {
  return new S3Error(400, "InvalidRequest", `the aws-chunked body is malformed: ${message}`);
}

function malformedTrailer(message: string): S3Error {
  return new S3Error(400, "MalformedTrailerError", message);
}

function wrongLength(comparison: "more" | "less", decodedLength: number): S3Error {
  return new S3Error(
    400,
    "IncompleteBody",
    `the body has ${comparison} than the ${decodedLength} bytes of x-amz-decoded-content-length`,
  );
}
