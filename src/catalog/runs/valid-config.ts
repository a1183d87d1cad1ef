// The check of the configuration before runs that delete or sign by it.
import { allProblems } from "../../config/config.ts";
import { HttpError } from "../../http/errors.ts";
import type { CatalogContext } from "../context.ts";

/**
 * Throws {@link HttpError} 403 while the configuration has a mistake: the operator's intention is not known then.
 * `what` completes "nothing is …".
 */
export async function requireValidConfig(c: CatalogContext, what: "collected" | "signed"): Promise<void> {
  const [problem] = await allProblems(c.config);
  if (problem === undefined) return;
  throw new HttpError(403, `nothing is ${what} until the configuration is fixed: ${problem}`);
}
