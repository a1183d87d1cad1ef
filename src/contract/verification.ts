// Whether the contents of NARs are known to be what their narinfos say.
import * as v from "valibot";
import { FINDINGS } from "./findings.ts";
import { COUNT, described, named, oneOf, TEXT } from "./schema.ts";

/** `unknown`: nothing has asked for it to be verified, as of paths that a reindex has found. */
const VERIFICATION_STATES = ["verified", "waiting", "unverifiable", "unknown", "false"] as const;

export const VERIFICATION = v.object({
  state: described(
    "`waiting`: it will be read. `unverifiable`: it cannot be. `unknown`: not asked for, as of paths that a reindex has found. `false`: about to be deleted, or found by a deep check without `repair`.",
    oneOf(VERIFICATION_STATES),
  ),
  reason: v.exactOptional(described("Why it is unverifiable or false.", TEXT)),
});
export type Verification = v.InferOutput<typeof VERIFICATION>;

export const VERIFICATION_STATS = named(
  "VerificationStats",
  v.object({
    verified: described("NARs.", COUNT),
    waiting: described("NARs that will be read.", COUNT),
    unverifiable: described("NARs.", COUNT),
    unknown: described("NARs of which nothing is known.", COUNT),
    false_narinfos: described("Paths that were found false and deleted.", FINDINGS),
  }),
);
export type VerificationStats = v.InferOutput<typeof VERIFICATION_STATS>;
