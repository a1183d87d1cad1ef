// Content encodings: the codings of uploads and of stored objects, and those that a client accepts. Decoding: decoding.ts.
import type { Coding } from "./decoding.ts";
import { HttpError } from "./errors.ts";

/** The codings that this server can decode. Clients may call gzip `x-gzip` (RFC 9110, section 8.4.1.3). */
const CODINGS: readonly Coding[] = ["br", "gzip", "zstd"];

export { type Coding, decode, decodePieces, decodeStream } from "./decoding.ts";

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
  return (
    acceptsByName(header, coding === "gzip" ? ["gzip", "x-gzip"] : [coding]) ??
    acceptsByName(header, ["*"]) ??
    false
  );
}

/** Whether an Accept header or one of its kind allows something that it names; `undefined` where it names none of these. */
export function acceptsByName(header: string | null, names: readonly string[]): boolean | undefined {
  for (const element of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = element.split(";").map((part) => part.trim());
    if (names.includes(name)) return !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  }
  return undefined;
}
