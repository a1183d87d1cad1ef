// Puts that wait while R2 refuses them for their rate.
import { r2Code, TOO_MANY_WRITES } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";

/** Writes that R2 may refuse because of others before the client is told. */
const MAX_ATTEMPTS = 4;
/** R2 takes one write a second to a key; two pushers of one path meet this limit. */
const SECOND_MS = 1100;

/** Runs a put, again where R2 takes no more writes to the key for now. Throws R2's own error. */
export async function putPatiently<T>(c: CatalogContext, put: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await put();
    } catch (error) {
      if (r2Code(error) !== TOO_MANY_WRITES || attempt === MAX_ATTEMPTS) throw error;
      await c.wait(SECOND_MS);
    }
  }
}
