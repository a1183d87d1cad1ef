// The decoded content of a stored object, for a client that does not accept its coding. It costs CPU at each request, as
// the edge must not cache it: anonymous clients get small objects only.
import { strongest } from "../auth/grants.ts";
import type { Kind } from "../bucket/kinds.ts";
import { bucketFailure } from "../bucket/operation.ts";
import type { Context } from "../context.ts";
import { type Coding, decodePieces, decodeStream } from "../http/encodings.ts";
import { HttpError } from "../http/errors.ts";

/** Decoded bytes for anonymous clients, some 20 ms of CPU: more than most logs. */
export const MAX_ANONYMOUS_BYTES = 4 * 1024 * 1024;

/**
 * The body, decoded: for anonymous clients whole before the answer begins, for others as it streams. Throws
 * {@link HttpError} 406 if the client is anonymous and it is larger than {@link MAX_ANONYMOUS_BYTES}, or if it cannot be
 * decoded. A stream breaks off above the limit of its kind.
 */
export async function decodedBody(
  context: Context,
  kind: Kind,
  body: ReadableStream<Uint8Array>,
  coding: Coding,
): Promise<BodyInit> {
  if (await isMember(context)) return decodeStream(body, coding, kind.maxBytes);
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of decodePieces(body, coding, Math.min(MAX_ANONYMOUS_BYTES, kind.maxBytes))) {
      pieces.push(piece);
    }
  } catch (error) {
    throw notDecoded(kind, coding, error);
  }
  return new Blob(pieces).stream();
}

function notDecoded(kind: Kind, coding: Coding, error: unknown): HttpError {
  if (!(error instanceof HttpError)) return bucketFailure("get", error);
  const why =
    error.status === 413
      ? `it unpacks to more than ${MAX_ANONYMOUS_BYTES / 1024 ** 2} MiB, which is decoded only for clients with a token`
      : "it cannot be decoded";
  return new HttpError(
    406,
    `this ${kind.name} is stored as ${coding}, and ${why}; ask for it with 'Accept-Encoding: ${coding}' (curl: --compressed)`,
    { Vary: "Accept-Encoding" },
  );
}

/** Whether the client has a credential for this cache. Never rejects: a read must not fail because the catalog is down. */
export async function isMember({ identity, identify, config }: Context): Promise<boolean> {
  // A public read passes the gate unidentified.
  if (identity.credential !== "none") return true;
  try {
    const identified = await identify();
    return identified.kind === "known" && strongest(identified.identity, config.cacheName) !== undefined;
  } catch {
    return false;
  }
}
