// The check of the configuration before runs that delete or sign by it.
import { allProblems, untilFixed } from "../../config/config.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";

/**
 * Throws {@link Refused} misconfigured: with a mistake in the configuration the operator's intention is unknown.
 * `what` completes "nothing is …".
 */
export async function requireValidConfig(c: CatalogContext, what: "collected" | "signed"): Promise<void> {
  const [problem] = await allProblems(c.config);
  if (problem === undefined) return;
  const consequence = `nothing is ${what}`;
  throw new Refused({ kind: "misconfigured", consequence, problem }, untilFixed(consequence, problem));
}
