// Roots behind the cursor: the pinned paths.
import { KEPT } from "../rows/pins.ts";

/** SQL that holds for a path that no pin names; the parameters are SQL for its hash part and for the time. */
export const UNPINNED = (hash: string, now: string) =>
  `NOT EXISTS (SELECT 1 FROM pin_revisions AS pin WHERE pin.hash = ${hash} AND ${KEPT("pin", now)})`;
