// The bucket and its failures: what R2 throws, told apart by the code at the end of its message.
import { HttpError } from "../http/errors.ts";

/** R2's error codes that mean something other than an outage. https://developers.cloudflare.com/r2/api/error-codes/ */
export const BAD_DIGEST = 10037;
export const TOO_MANY_WRITES = 10058;
export const NO_SUCH_UPLOAD = 10024;
const ENTITY_TOO_LARGE = 100100;
const INCOMPLETE_BODY = 10013;

/** The code of an R2 error: the binding puts it only at the end of the message, `... (10037)`. */
export function r2Code(error: unknown): number | undefined {
  const match = error instanceof Error ? /\((\d{4,6})\)\s*$/.exec(error.message) : null;
  return match === null ? undefined : Number(match[1]);
}

/** The refusal for a bucket operation that threw: the client's fault where R2 says so, else an outage. */
export function bucketFailure(operation: string, error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  switch (r2Code(error)) {
    case BAD_DIGEST:
      return new HttpError(
        400,
        "the body does not have the SHA-256 that its name says; nothing was stored, send it again",
      );
    case INCOMPLETE_BODY:
      return new HttpError(
        400,
        "the body is shorter than its Content-Length; nothing was stored, send it again",
      );
    case ENTITY_TOO_LARGE:
      return new HttpError(413, "the bucket takes at most 5 GiB in one upload");
  }
  console.error(`bucket ${operation} failed`, error);
  const failure = new HttpError(
    503,
    `the bucket did not answer (${operation}); nothing was changed, try again`,
    { "Retry-After": "5" },
  );
  failure.cause = error;
  return failure;
}

/** Whether the bucket has said that it failed: an operation without an answer may still happen. */
export function isAnswered(failure: unknown): boolean {
  return failure instanceof Error && r2Code(failure.cause) !== undefined;
}

/** Runs one bucket operation; whatever it throws becomes the right refusal. */
export async function bucketOperation<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw bucketFailure(operation, error);
  }
}

/**
 * Puts a small object; false where `onlyIf` does not hold. R2 takes one write a second to a key and refuses the
 * loser of a race: where the winner wrote the same bytes, the loser's are stored, too.
 */
export async function putSmall(
  bucket: R2Bucket,
  key: string,
  body: Uint8Array,
  options: R2PutOptions,
): Promise<boolean> {
  try {
    const object: R2Object | null = await bucket.put(key, body, options);
    return object !== null;
  } catch (error) {
    const failure = bucketFailure("put", error);
    if (failure.status < 500) throw failure;
    const winner = await bucketOperation("get", () => bucket.get(key));
    if (winner === null) throw failure;
    const stored = await bucketOperation("get", () => winner.bytes());
    if (!equalBytes(stored, body)) throw failure;
    return true;
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
