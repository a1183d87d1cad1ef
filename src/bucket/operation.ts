// Bucket operations and their failures, told apart by the code at the end of R2's error message.
import type { BucketFailure } from "../contract/refusals.ts";
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

/** The status and message of each failure. https://developers.cloudflare.com/r2/api/error-codes/ */
const FAILURES: Record<BucketFailure, { readonly status: number; readonly message: string }> = {
  "bad-digest": {
    status: 400,
    message: "the body does not have the SHA-256 that its name says; nothing was stored, send it again",
  },
  "incomplete-body": {
    status: 400,
    message: "the body is shorter than its Content-Length; nothing was stored, send it again",
  },
  "too-large": { status: 413, message: "the bucket takes at most 5 GiB in one upload" },
  unavailable: {
    status: 503,
    message: "the bucket did not answer (OPERATION); nothing was changed, try again",
  },
};

const REASONS: Readonly<Record<number, BucketFailure>> = {
  [BAD_DIGEST]: "bad-digest",
  [INCOMPLETE_BODY]: "incomplete-body",
  [ENTITY_TOO_LARGE]: "too-large",
};

/** A failed bucket operation: the client's fault if R2's code says so, else an outage. */
export class BucketError extends HttpError {
  readonly operation: string;
  readonly reason: BucketFailure;

  constructor(operation: string, reason: BucketFailure, cause?: unknown) {
    const { status, message } = FAILURES[reason];
    super(
      status,
      message.replace("OPERATION", operation),
      reason === "unavailable" ? { "Retry-After": "5" } : {},
    );
    this.operation = operation;
    this.reason = reason;
    this.cause = cause;
  }
}

/**
 * The refusal for a bucket operation that threw. A refusal thrown by the request body while the bucket read it is
 * kept.
 */
export function bucketFailure(operation: string, error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const reason = REASONS[r2Code(error) ?? 0] ?? "unavailable";
  if (reason !== "unavailable") return new BucketError(operation, reason);
  console.error(`bucket ${operation} failed`, error);
  return new BucketError(operation, reason, error);
}

/** Whether the bucket has responded with a failure. Without a response the operation may still happen. */
export function isAnswered(failure: unknown): boolean {
  return failure instanceof Error && r2Code(failure.cause) !== undefined;
}

/** Runs one bucket operation. Throws {@link bucketFailure} of its error. */
export async function bucketOperation<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw bucketFailure(operation, error);
  }
}

/**
 * Puts a small object; `null` if `onlyIf` does not hold. R2 allows one write a second to a key and refuses the loser
 * of a race. That is no failure if the winner wrote the same bytes, unless there is a condition.
 */
export async function putSmall(
  bucket: R2Bucket,
  key: string,
  body: Uint8Array,
  options: R2PutOptions,
): Promise<R2Object | null> {
  try {
    return await bucket.put(key, body, options);
  } catch (error) {
    const failure = bucketFailure("put", error);
    if (failure.status < 500 || options.onlyIf !== undefined) throw failure;
    const winner = await bucketOperation("get", () => bucket.get(key));
    if (winner === null) throw failure;
    const stored = await bucketOperation("get", () => winner.bytes());
    if (!equalBytes(stored, body)) throw failure;
    return winner;
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
