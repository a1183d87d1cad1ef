// Conditional writes: a condition is decided against the current object, and the bucket then writes only over that one.
import { HttpError } from "../http/errors.ts";
import { allowsWrite, type WriteCondition } from "../http/preconditions.ts";
import { bucketOperation } from "./operation.ts";
import { s3Etag } from "./s3-etag.ts";

/** The object that a key has; R2's ETag, without quotes. */
export type Current = Pick<R2Object, "key" | "etag" | "uploaded">;

/** Throws {@link HttpError} 412 if the conditions forbid a write over the current object. */
export function requireWritable(condition: WriteCondition | undefined, current: Current | null): void {
  if (!isWritable(condition, current)) throw preconditionFailed();
}

/** Clients may name either ETag of an object: the one for S3 clients, or that of all others. */
export function isWritable(condition: WriteCondition | undefined, current: Current | null): boolean {
  if (condition === undefined) return true;
  if (current === null) return allowsWrite(condition, undefined);
  const { key, etag, uploaded } = current;
  const inR2 = (header: string) => header.replaceAll(`"${s3Etag(key, etag)}"`, `"${etag}"`);
  const { ifMatch, ifNoneMatch, ...rest } = condition;
  return allowsWrite(
    {
      ...rest,
      ...(ifMatch !== undefined && { ifMatch: inR2(ifMatch) }),
      ...(ifNoneMatch !== undefined && { ifNoneMatch: inR2(ifNoneMatch) }),
    },
    { etag: `"${etag}"`, lastModified: uploaded },
  );
}

/** R2's condition that the object is still the current one. */
export function unchanged(current: Pick<Current, "etag"> | null): R2Conditional {
  return current === null ? { etagDoesNotMatch: "*" } : { etagMatches: current.etag };
}

/**
 * The options of a put that happens only under the conditions: it takes one more operation where there are any. Throws
 * {@link HttpError} 412. A put that returns `null` lost a race: {@link preconditionFailed}.
 */
export async function conditionally(
  bucket: R2Bucket,
  key: string,
  condition: WriteCondition | undefined,
): Promise<{ readonly onlyIf?: R2Conditional }> {
  if (condition === undefined) return {};
  const current = await bucketOperation("head", () => bucket.head(key));
  requireWritable(condition, current);
  return { onlyIf: unchanged(current) };
}

export function preconditionFailed(): HttpError {
  return new HttpError(
    412,
    "nothing was stored: the condition of the request (If-Match, If-None-Match) does not hold for what is here",
  );
}
