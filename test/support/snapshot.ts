/** Objects of the bucket as they are at a moment. */
import { createHash } from "node:crypto";

/** What a client would see. */
export interface Snapshot {
  /** Bytes. */
  readonly size: number;
  /** Of the content, in lower-case hex. */
  readonly sha256: string;
  /** Of a narinfo. */
  readonly text?: string;
}

export async function snapshotOf(bucket: R2Bucket, key: string): Promise<Snapshot | undefined> {
  const object = await bucket.get(key);
  if (object === null) return undefined;
  const bytes = await object.bytes();
  return {
    size: object.size,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ...(key.endsWith(".narinfo") && { text: new TextDecoder().decode(bytes) }),
  };
}
