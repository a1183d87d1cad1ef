// Small objects of the bucket, read as text: narinfos and companions.
import { decodeUtf8 } from "../http/body.ts";
import { decode, knownCoding } from "../http/encodings.ts";
import { HttpError } from "../http/errors.ts";
import { bucketOperation } from "./operation.ts";

export type StoredText =
  | { readonly object: R2Object; readonly text: string }
  /** Larger than allowed, not in its declared encoding, or not UTF-8; `unreadable` says which. */
  | {
      readonly object: R2Object;
      readonly unreadable: string;
      /** Where it is only not UTF-8: a character for each byte. */
      readonly latin1?: string;
      /** Another reader may be able to read it: it is too large, or in an encoding that only Nix supports. */
      readonly mayBeSound: boolean;
    };

/** Reads an object of at most `maxBytes`, decoded; `undefined` if there is none. One bucket operation. */
export async function readText(
  bucket: R2Bucket,
  key: string,
  maxBytes: number,
): Promise<StoredText | undefined> {
  const object = await bucketOperation("get", () => bucket.get(key));
  if (object === null) return undefined;
  if (object.size > maxBytes) {
    await object.body.cancel();
    const unreadable = `it has ${object.size} bytes, more than ${maxBytes}`;
    return { object, unreadable, mayBeSound: true };
  }
  const bytes = await bucketOperation("get", () => object.bytes());
  const encoding = object.httpMetadata?.contentEncoding;
  const coding = knownCoding(encoding);
  let plain: Uint8Array | undefined;
  try {
    plain = coding === undefined ? bytes : await decode(bytes, coding, maxBytes);
    return { object, text: decodeUtf8(plain) };
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    const mayBeSound = encoding !== undefined && coding === undefined;
    const latin1 = plain && Buffer.from(plain).toString("latin1");
    return { object, unreadable: error.message, mayBeSound, ...(latin1 !== undefined && { latin1 }) };
  }
}
