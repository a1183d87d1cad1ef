/** The facts of a stored NAR file, found in one streaming read. Load this module only when needed. */

import { formatHash, type HashAlgorithm } from "../nix/hash.ts";
import { type AddressClaim, addressCheck } from "./addresses.ts";
import { decode } from "./decode.ts";
import { hasher } from "./hasher.ts";
import { listingVisitor } from "./listing.ts";
import { narParser } from "./nar-parser.ts";
import { piecesOf } from "./pieces.ts";
import { isFalse, Refusal } from "./refusal.ts";

export interface FactsRequest {
  /** A narinfo's `Compression`. */
  compression: string;
  /** Bytes: unpacking stops there, and a larger NAR is false. */
  maxNarSize: number;
  /** Content addresses to check; each costs a hash of the NAR. */
  addresses?: readonly AddressClaim[];
  /** Whether the listing is wanted. */
  listing?: boolean;
  /** Awaited after each 256 KiB or so of the NAR, so that other work gets its turn. */
  pause?: () => Promise<void>;
}

export interface NarFacts {
  kind: "facts";
  /** `sha256:<nix32>`. */
  narHash: string;
  /** Bytes. */
  narSize: number;
  /** Whether each of the request's addresses is right, in the same order; undefined if that cannot be determined. */
  addresses: (boolean | undefined)[];
  /** The JSON of `HASHPART.ls`; undefined if it is not wanted, too long, or has names that are not UTF-8. */
  listing?: string | undefined;
}

/** `reason` is one line. */
export type Outcome =
  | NarFacts
  /** The file is not a NAR of that compression, or a longer one, or has something after it. */
  | { kind: "false"; reason: string }
  /** It may be right, but needs a decoder or memory that is not available. */
  | { kind: "unverifiable"; reason: string };

/** Bytes of the NAR between two pauses. */
const PAUSE_BYTES = 256 * 1024;
const NAR_HASH: HashAlgorithm = "sha256";

/**
 * Reads the file to its end, or cancels it. Errors of the stream itself are thrown as they are. A file that is held
 * already is passed as it is: a stream of it would take longer than reading a small one.
 */
export async function narFacts(
  file: ReadableStream<Uint8Array> | Uint8Array,
  request: FactsRequest,
): Promise<Outcome> {
  try {
    return await readFacts(file instanceof Uint8Array ? held(file) : piecesOf(file), request);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // A decoder has cancelled the file already; without one it is still unlocked.
    if (file instanceof ReadableStream && !file.locked) await file.cancel();
    return { kind: error.kind, reason: error.message };
  }
}

async function* held(file: Uint8Array): AsyncGenerator<Uint8Array> {
  yield file;
}

async function readFacts(file: AsyncIterable<Uint8Array>, request: FactsRequest): Promise<NarFacts> {
  const checks = (request.addresses ?? []).map(addressCheck);
  const listing = request.listing ? listingVisitor() : undefined;
  const visitors = [listing, ...checks.map(({ visitor }) => visitor)].filter(
    (visitor) => visitor !== undefined,
  );
  const parser = narParser(visitors);
  const hash = hasher(NAR_HASH);
  let narSize = 0;
  let untilPause = PAUSE_BYTES;

  for await (const piece of decode(file, request.compression)) {
    narSize += piece.length;
    if (narSize > request.maxNarSize) throw isFalse(`the NAR is longer than ${request.maxNarSize} bytes`);
    hash.update(piece);
    parser.push(piece);
    for (const check of checks) check.update?.(piece);
    untilPause -= piece.length;
    if (untilPause > 0 || request.pause === undefined) continue;
    untilPause = PAUSE_BYTES;
    await request.pause();
  }
  parser.end();
  return {
    kind: "facts",
    narHash: formatHash({ algorithm: NAR_HASH, bytes: Uint8Array.from(hash.digest()) }),
    narSize,
    addresses: checks.map((check) => check.result()),
    listing: listing?.finish(),
  };
}
