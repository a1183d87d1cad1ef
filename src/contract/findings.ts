// The kinds of findings of a run, and their counts in reports.
import * as v from "valibot";
import { COUNT, described, FLAG, listOf, named, TEXT } from "./schema.ts";

/** What a check looks for. A resign also finds realisations that it cannot read. */
export const FINDING_KINDS = [
  /** An object that is no valid narinfo of its path. */
  "unreadable-narinfo",
  /** A narinfo in the bucket without a row in the catalog, or with another content than its row. */
  "unindexed-narinfo",
  /** A path of the catalog without a narinfo in the bucket. */
  "vanished-narinfo",
  /** A path whose NAR is not in the bucket. */
  "missing-nar",
  /** A path whose NAR is not in the bucket, and whose narinfo names another place for it. */
  "foreign-nar",
  /** A path whose NAR has another size or SHA-256 than its narinfo states. */
  "damaged-nar",
  /** A path whose NAR does not contain what the narinfo says. */
  "false-narinfo",
  /** An object under nar/ that the catalog does not know. */
  "unindexed-nar",
  /** A NAR of the catalog without an object in the bucket. */
  "vanished-nar",
  /** A NAR without a path that no pusher has used during the grace period. */
  "unreferenced-nar",
  /** A path that is missing although others refer to it. */
  "missing-reference",
  /** An object under pins/ that is no valid pin: the path that it should keep is unknown. */
  "unreadable-pin",
] as const;

export type FindingKind =
  | (typeof FINDING_KINDS)[number]
  | "unreadable-realisation"
  /** A path or an object that a deletion or a collection has passed by, because it cannot be deleted. */
  | "stuck-deletion";

export const FINDINGS = named(
  "Findings",
  v.object({
    count: described("All of them.", COUNT),
    repaired: described("How many of them have been repaired.", COUNT),
    first: described(
      "The first of them by name.",
      listOf(
        v.object({
          name: described("A path's base name or hash part, or an object's key.", TEXT),
          detail: described("What is wrong, for a person.", TEXT),
          repaired: FLAG,
        }),
      ),
    ),
  }),
);

export type Findings = v.InferOutput<typeof FINDINGS>;
export type Finding = Findings["first"][number];
