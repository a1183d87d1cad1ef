// Outcomes that cross from the Durable Object to the Worker: an error loses its class on the way, so a refusal
// travels as a value.
import type { Result } from "../contract/result.ts";
import { HttpError } from "../http/errors.ts";

/** Runs an operation inside the object. What is no refusal goes on as an error: the object is at fault then. */
export async function toResult<T>(run: () => Promise<T> | T): Promise<Result<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return { ok: false, status: error.status, message: error.message, headers: { ...error.headers } };
  }
}
