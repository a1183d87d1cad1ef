// What a run may find wrong, and how reports count it.
import * as v from "valibot";
import { COUNT, described, FLAG, listOf, named, TEXT } from "./schema.ts";

/** What a check looks for. A resign also finds realisations that it cannot read. */
export const FINDING_KINDS = [
  /** An object that no client can read as the narinfo of its path. */
  "unreadable-narinfo",
  /** A narinfo in the bucket that the catalog does not know, or knows with another content. */
  "unindexed-narinfo",
  /** A path of the catalog without a narinfo in the bucket. */
  "vanished-narinfo",
  /** A path whose NAR is not in the bucket. */
  "missing-nar",
  /** A path whose NAR has another size or SHA-256 than the narinfo says. */
  "damaged-nar",
  /** A path whose NAR does not contain what the narinfo says. */
  "false-narinfo",
  /** An object under nar/ that the catalog does not know. */
  "unindexed-nar",
  /** A NAR of the catalog without an object in the bucket. */
  "vanished-nar",
  /** A NAR that nothing refers to, and that no pusher has cared for during the grace period. */
  "unreferenced-nar",
  /** A path that is not here while others here refer to it. */
  "missing-reference",
  /** An object under pins/ that is no pin of this cache: what it was to keep is not known. */
  "unreadable-pin",
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number] | "unreadable-realisation";

export const FINDINGS = named(
  "Findings",
  v.object({
    count: COUNT,
    repaired: described("How many of them have been repaired.", COUNT),
    first: described(
      "The first of them by name.",
      listOf(
        v.object({
          name: described("A path's base name or hash part, or a NAR's key.", TEXT),
          detail: described("What is wrong, for a person.", TEXT),
          repaired: FLAG,
        }),
      ),
    ),
  }),
);

export type Findings = v.InferOutput<typeof FINDINGS>;
export type Finding = Findings["first"][number];
