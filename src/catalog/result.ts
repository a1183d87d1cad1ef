// Outcomes that cross from the Durable Object to the Worker: an error loses its class on the way, so a refusal
// travels as a value.
import { HttpError } from "../http/errors.ts";

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly status: number;
      readonly message: string;
      readonly headers: Record<string, string>;
    };

/** Runs an operation inside the object. What is no refusal goes on as an error: the object is at fault then. */
export async function toResult<T>(run: () => Promise<T> | T): Promise<Result<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return { ok: false, status: error.status, message: error.message, headers: { ...error.headers } };
  }
}

/**
 * Asks the catalog and takes its result in the Worker: the value, or the refusal thrown. A catalog that does not answer is a 503: reads
 * need none, and a write has not happened or is settled by the next one.
 */
export async function fromCatalog<T>(ask: () => Promise<Result<T>>): Promise<T> {
  let result: Result<T>;
  try {
    result = await ask();
  } catch (error) {
    // What the asker refuses is no fault of the catalog.
    if (error instanceof HttpError) throw error;
    console.error("the catalog did not answer", error);
    throw new HttpError(
      503,
      "the catalog of this cache did not answer; reading paths goes on, try this again",
      {
        "Retry-After": "5",
      },
    );
  }
  if (result.ok) return result.value;
  throw new HttpError(result.status, result.message, result.headers);
}
