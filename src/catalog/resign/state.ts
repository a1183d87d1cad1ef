// The state of a resign between its steps.
import { type Run, runRecord } from "../runs/run.ts";

export interface Resigning {
  /** The name of the key whose signatures are removed. */
  readonly drop: string | null;
  /** The public keys of the signing keys. If these change, the walk begins again. */
  keys: readonly string[];
  /** Paths looked at so far. */
  paths: number;
  /** Narinfos written so far. */
  resigned: number;
  /** Realisations looked at so far. */
  realisations: number;
  /** Realisations written so far. */
  resignedRealisations: number;
  /** Paths such as `/<hash>.narinfo` to purge from the edge. Saved with the work, so that a crash does not lose them. */
  unpurged: readonly string[];
}

export type ResignRun = Run<"resign", Resigning>;

export const RESIGN_RECORD = runRecord<"resign", Resigning>("resign", 2);
