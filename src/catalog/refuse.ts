// How an operation of the catalog refuses, and how that becomes a value for the Worker.
import { BucketError } from "../bucket/operation.ts";
import type { Refusal } from "../contract/refusals.ts";
import type { Result } from "../contract/result.ts";

/** A refusal on its way out of an operation. The message is for a run's report, where a step may refuse. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string = refusal.kind) {
    super(message);
    this.refusal = refusal;
  }
}

/** Whether a failure has a message for the client: any other is a defect of the catalog. */
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
