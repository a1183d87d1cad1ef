// The last phase of a check: objects under pins/ that are no pins. The rows say which pins there are.

import { PIN_FOLDER } from "../../bucket/kinds.ts";
import type { CatalogContext } from "../context.ts";
import { readPins } from "../reindex/pins.ts";
import { forgetSome } from "../rows/unindexed.ts";
import { listPage } from "../scan/pages.ts";
import type { CheckRun } from "./state.ts";

/** Rows of unindexed narinfos, which the phase before has used, that one step deletes; and its cost, as of operations. */
const MAX_FORGOTTEN = 5_000;
const FORGETTING_COST = 20;

export async function checkPins(c: CatalogContext, run: CheckRun): Promise<number> {
  if (forgetSome(c, MAX_FORGOTTEN)) return FORGETTING_COST;
  return readPins(c, run, await listPage(c, { prefix: PIN_FOLDER }, run.checkpoint), () => {});
}
