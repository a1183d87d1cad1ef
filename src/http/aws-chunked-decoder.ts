// The framing of `aws-chunked`: `<size in hex>[;chunk-signature=<hex>]`, CRLF, data, CRLF, and so on to a chunk of
// size 0 and the trailer.
import { type ChunkSigning, chunkSignatures } from "./aws-chunked-signatures.ts";
import { type Checksum, checksumOf } from "./checksums.ts";
import type { BodyFilter } from "./filtered-body.ts";
import { S3Error } from "./s3-error.ts";

export interface AwsChunkedOptions {
  /** Bytes of the content: `x-amz-decoded-content-length`. */
  readonly decodedLength: number;
  /** Where every chunk, and the trailer, is signed. */
  readonly signing: ChunkSigning | undefined;
  /** The checksum headers that the trailer must have, in lower case; none where there is no trailer. */
  readonly trailers: readonly string[];
}

/** Memory that a hostile client can take: no client needs more than 85 bytes for the one, 200 for the other. */
const MAX_CHUNK_HEADER_BYTES = 4096;
const MAX_TRAILER_BYTES = 8192;
const LF = 10;

/** Unwraps a body and checks signatures, checksums and length. Holds nothing but the header that it is reading. */
export function awsChunkedDecoder({ decodedLength, signing, trailers }: AwsChunkedOptions): BodyFilter {
  const signatures = signing && chunkSignatures(signing);
  const checksums = new Map(trailers.map((name) => [name, startChecksum(name)]));
  let state: "header" | "data" | "data end" | "trailer" = "header";
  /** Of a header or trailer, as far as it has come. */
  let text = "";
  /** Of the current chunk. */
  let missing = 0;
  let signature: string | undefined;
  let received = 0;

  function beginChunk(header: string): void {
    const [, size, extension] = /^([0-9a-f]{1,12})(?:;(.*))?$/i.exec(header.trim()) ?? [];
    if (size === undefined) throw malformed("a chunk does not begin with its size in hex");
    missing = Number.parseInt(size, 16);
    signature = /^chunk-signature=(\S+)$/.exec(extension ?? "")?.[1];
    if (received + missing > decodedLength) throw wrongLength("more", decodedLength);
    if (missing > 0) {
      state = "data";
      return;
    }
    if (received < decodedLength) throw wrongLength("less", decodedLength);
    signatures?.endChunk(signature);
    state = "trailer";
  }

  function takeData(data: Uint8Array): void {
    signatures?.update(data);
    for (const checksum of checksums.values()) checksum.update(data);
    received += data.byteLength;
    missing -= data.byteLength;
    if (missing > 0) return;
    signatures?.endChunk(signature);
    state = "data end";
  }

  /** Takes a line of a header from `start`; gives the offset after what it took. */
  function takeHeader(piece: Uint8Array, start: number): number {
    const found = piece.indexOf(LF, start);
    const end = found < 0 ? piece.byteLength : found + 1;
    takeText(piece.subarray(start, end), MAX_CHUNK_HEADER_BYTES);
    if (found < 0) return end;
    const line = text;
    text = "";
    if (state === "header") beginChunk(line);
    else if (line === "\r\n") state = "header";
    else throw malformed("a chunk is longer than its size says");
    return end;
  }

  function takeText(bytes: Uint8Array, limit: number): void {
    if (text.length + bytes.byteLength > limit) {
      throw malformed(`a chunk's header or the trailer is longer than ${limit} bytes`);
    }
    text += String.fromCharCode(...bytes);
  }

  return {
    push: (piece) => {
      const content: Uint8Array[] = [];
      let offset = 0;
      while (offset < piece.byteLength) {
        if (state === "data") {
          const data = piece.subarray(offset, offset + missing);
          takeData(data);
          content.push(data);
          offset += data.byteLength;
        } else if (state === "trailer") {
          takeText(piece.subarray(offset), MAX_TRAILER_BYTES);
          offset = piece.byteLength;
        } else {
          offset = takeHeader(piece, offset);
        }
      }
      return content;
    },
    end: () => {
      if (state !== "trailer") throw wrongLength("less", decodedLength);
      const { lines, signature } = parseTrailer(text, checksums);
      if (trailers.length > 0) signatures?.checkTrailer(lines, signature);
    },
  };
}

/**
 * Reads the trailer: `name:value` lines. Some clients end the chunk of size 0 with an empty line before the trailer,
 * some lines with LF only: so empty lines mean nothing, and the trailer ends with the body.
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
  const checksum = checksumOf(name);
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
