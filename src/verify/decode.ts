/** Decodes a NAR file by its `Compression`, and lists the supported ones. */

import { unbzip2 } from "./bzip2.ts";
import { isUnverifiable } from "./refusal.ts";
import { unxz } from "./xz.ts";
import { gunzip, unbrotli, unzstd } from "./zlib.ts";

type Bytes = AsyncIterable<Uint8Array>;

const DECODERS: ReadonlyMap<string, (input: Bytes) => Bytes> = new Map([
  ["none", asItIs],
  // The same in Nix.
  ["", asItIs],
  ["identity", asItIs],
  ["xz", unxz],
  ["zstd", unzstd],
  ["gzip", gunzip],
  ["br", unbrotli],
  ["bzip2", unbzip2],
]);

/** Yields pieces that are valid until the next. Throws Refusal, and the input's own errors as they are. */
export function decode(input: Bytes, compression: string): Bytes {
  const decoder = DECODERS.get(compression);
  if (decoder === undefined)
    throw isUnverifiable(`there is no decoder for the compression ${JSON.stringify(compression)}`);
  return decoder(input);
}

function asItIs(input: Bytes): Bytes {
  return input;
}
