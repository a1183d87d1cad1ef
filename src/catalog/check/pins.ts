// The last phase of a check: objects under pins/ that are no pins. The rows say which pins there are.

import { PIN_FOLDER } from "../../bucket/kinds.ts";
import type { CatalogContext } from "../context.ts";
import { readPins } from "../reindex/pins.ts";
import { listPage } from "../scan/pages.ts";
import type { CheckRun } from "./state.ts";

export async function checkPins(c: CatalogContext, run: CheckRun): Promise<number> {
  return readPins(c, run, await listPage(c, { prefix: PIN_FOLDER }, run.checkpoint), () => {});
}
