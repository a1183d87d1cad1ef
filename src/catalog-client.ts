// Calls a catalog: the Durable Object's result becomes a value or an HttpError.
import { httpErrorOf } from "./catalog-refusals.ts";
import type { CatalogApi } from "./contract/catalog.ts";
import { NEWER_SCHEMA, type Result } from "./contract/result.ts";
import type { Env } from "./env.ts";
import { HttpError } from "./http/errors.ts";

/**
 * Calls one catalog. Throws a refusal as {@link HttpError}, and 503 if the catalog does not answer: then a write has
 * not happened, or the next use of its key resolves it.
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
    // Thrown by `ask` itself, not by the catalog.
    if (error instanceof HttpError) throw error;
    console.error("the catalog did not answer", error);
    const isNewer = error instanceof Error && error.message.startsWith(NEWER_SCHEMA);
    throw new HttpError(
      503,
      isNewer
        ? error.message
        : "the catalog of this cache did not answer; reading paths goes on, try this again",
      { "Retry-After": "5" },
    );
  }
  if (result.ok) return result.value;
  throw httpErrorOf(result.refusal);
}
