// The second phase of a resign: realisations and build traces. Only the bucket has what they say, so each is read.
import { isRealisationKey, REALISATION_FOLDERS } from "../../bucket/companions.ts";
import type { CatalogContext } from "../context.ts";
import { saveRun } from "../runs/run.ts";
import { doItems } from "../scan/items.ts";
import { listFolders } from "../scan/pages.ts";
import { COST, resignRealisation } from "./realisation.ts";
import { followKeys, purgeResigned } from "./run.ts";
import type { ResignRun } from "./state.ts";

export async function resignRealisations(c: CatalogContext, run: ResignRun): Promise<number> {
  await followKeys(c, run);
  if (run.phase !== "realisations") {
    saveRun(c, run);
    return 0;
  }
  const { objects, end } = await listFolders(c, REALISATION_FOLDERS, run.checkpoint);
  const keys = objects.map(({ key }) => key).filter(isRealisationKey);
  const items = keys.map((key) => ({ key, cost: COST, work: () => resignRealisation(c, run, key) }));
  const { done, cost } = await doItems(c, run, items, end);
  await purgeResigned(c, run);
  run.state.realisations += keys.filter((key) => key <= done).length;
  saveRun(c, run);
  return cost;
}
