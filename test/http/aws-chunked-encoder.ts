// A client's side of `aws-chunked`.
import { createHash, createHmac } from "node:crypto";
import type { ChunkSigning } from "../../src/http/aws-chunked-signatures.ts";
import { checksumOf } from "../../src/http/checksums.ts";

export const SIGNING: ChunkSigning = {
  seedSignature: "5".repeat(64),
  signingKey: new Uint8Array(32).fill(7).buffer,
  datetime: "20261122T120000Z",
  scope: "20261122/auto/s3/aws4_request",
};

export interface Encoding {
  /** Bytes of each chunk; the last is repeated. */
  readonly sizes: readonly number[];
  readonly signing?: ChunkSigning | undefined;
  readonly trailers?: readonly string[];
}

/** The chunks (the one of size 0 included) and the trailer, to be joined. */
export function encodeParts(content: Uint8Array, { sizes, signing, trailers = [] }: Encoding): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let previous = signing?.seedSignature ?? "";
  const sign = (algorithm: string, ...hashes: readonly string[]) => {
    const { signingKey, datetime, scope } = signing ?? SIGNING;
    const text = [algorithm, datetime, scope, previous, ...hashes].join("\n");
    previous = createHmac("sha256", new Uint8Array(signingKey)).update(text).digest("hex");
    return previous;
  };
  const header = (data: Uint8Array) => {
    const signature = signing && sign("AWS4-HMAC-SHA256-PAYLOAD", sha256(""), sha256(data));
    return text(`${data.byteLength.toString(16)}${signature ? `;chunk-signature=${signature}` : ""}\r\n`);
  };

  let offset = 0;
  for (let index = 0; offset < content.byteLength; index++) {
    const size = sizes[Math.min(index, sizes.length - 1)] ?? 1;
    const data = content.subarray(offset, offset + size);
    parts.push(concat([header(data), data, text("\r\n")]));
    offset += size;
  }
  parts.push(header(new Uint8Array()));

  const lines = trailers.map((name) => `${name}:${checksum(name, content)}`);
  if (signing && lines.length > 0) {
    const canonical = [...lines]
      .sort()
      .map((line) => `${line}\n`)
      .join("");
    lines.push(`x-amz-trailer-signature:${sign("AWS4-HMAC-SHA256-TRAILER", sha256(canonical))}`);
  }
  parts.push(text(`${lines.map((line) => `${line}\r\n`).join("")}\r\n`));
  return parts;
}

export function encode(content: Uint8Array, encoding: Encoding): Uint8Array {
  return concat(encodeParts(content, encoding));
}

export function checksum(header: string, content: Uint8Array): string {
  const checksum = checksumOf(header);
  checksum?.update(content);
  return checksum?.result() ?? "";
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
