// Refusing an operation of the catalog, and turning the refusal into a value for the Worker.
import { BucketError } from "../bucket/operation.ts";
import type { Refusal } from "../contract/refusals.ts";
import type { Result } from "../contract/result.ts";

/** A thrown refusal. The message is for the report of a run whose step refuses. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string = refusal.kind) {
    super(message);
    this.refusal = refusal;
  }
}

/** Whether an error is a refusal, with a message for the client. Any other error is a defect of the catalog. */
export function isRefusal(error: unknown): error is Refused | BucketError {
  return error instanceof Refused || error instanceof BucketError;
}

/** Runs an operation inside the object. Any other error is thrown: a defect of the object. */
export async function toResult<T>(run: () => Promise<T> | T): Promise<Result<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: error.refusal };
    if (!(error instanceof BucketError)) throw error;
    const { operation, reason } = error;
    return { ok: false, refusal: { kind: "bucket-failed", operation, reason } };
  }
}
