// How the Worker asks a catalog: one call of the Durable Object, its result taken apart.
import type { CatalogApi } from "./contract/catalog.ts";
import type { Result } from "./contract/result.ts";
import type { Env } from "./env.ts";
import { HttpError } from "./http/errors.ts";

/**
 * Asks one catalog. Resolves with the value, throws the refusal as {@link HttpError}. A catalog that does not answer is
 * a 503: reads need none, and a write has not happened or is settled by the next one.
 */
export type AskCatalog = <T>(
  ask: (catalog: DurableObjectStub<CatalogApi>) => Promise<Result<T>>,
) => Promise<T>;

/** The catalog of the cache of this name. */
export function catalogClient(env: Env, cacheName: string): AskCatalog {
  return (ask) => unwrap(() => ask(env.CATALOG.getByName(cacheName)));
}

/** The value of a result; see {@link AskCatalog}. */
export async function unwrap<T>(ask: () => Promise<Result<T>>): Promise<T> {
  let result: Result<T>;
  try {
    result = await ask();
  } catch (error) {
    // A refusal that `ask` itself throws is no fault of the catalog.
    if (error instanceof HttpError) throw error;
    console.error("the catalog did not answer", error);
    throw new HttpError(
      503,
      "the catalog of this cache did not answer; reading paths goes on, try this again",
      { "Retry-After": "5" },
    );
  }
  if (result.ok) return result.value;
  throw new HttpError(result.status, result.message, result.headers);
}
