// Resigns one path.
import type { CatalogContext } from "../context.ts";
import { rewriteSignatures } from "../publish/rewrite.ts";
import { note } from "../rows/findings.ts";
import { saveRun } from "../runs/run.ts";
import type { ResignRun } from "./state.ts";

/** The row and its count are one transaction, so that a repeated step counts nothing twice. */
export async function resignPath(c: CatalogContext, run: ResignRun, hash: string): Promise<void> {
  const { drop } = run.state;
  const alongside = () => {
    run.state.resigned++;
    run.state.unpurged = [...run.state.unpurged, `/${hash}.narinfo`];
    saveRun(c, run);
  };
  if ((await rewriteSignatures(c, hash, { drop, alongside })) !== "unreadable") return;
  const why = "cannot be read, is gone or changing, or would be too large; POST /api/v1/check says more";
  note(c, "resign", "unreadable-narinfo", hash, why);
}
