// The cache in numbers.
import * as v from "valibot";
import { COMPRESSIONS } from "../nix/narinfo.ts";
import { PATH_SUMMARY } from "./paths.ts";
import { BYTES, COUNT, DAY, described, FLAG, listOf, named, TIME } from "./schema.ts";
import { VERIFICATION_STATS } from "./verification.ts";

/** Days of the growth table, today included. */
export const GROWTH_DAYS = 30;

export const LARGEST = 10;

const AMOUNT = {
  paths: COUNT,
  nar_size: BYTES,
  file_size: described("Bytes, compressed; a NAR that several paths share counts for each.", COUNT),
};
const AMOUNTS = v.object(AMOUNT);
export type Amount = v.InferOutput<typeof AMOUNTS>;

export const STATS = named(
  "Stats",
  v.object({
    as_of: described("When the numbers were exact.", TIME),
    counting: v.exactOptional(
      described(
        "Set while everything is counted again, as after an update. What has never been counted before is then counted in part.",
        FLAG,
      ),
    ),
    paths: COUNT,
    nar_size: described("Bytes of all paths, unpacked.", COUNT),
    nars: described("Published NARs. Paths of the same content may share one.", COUNT),
    stored_size: described("Bytes of these in the bucket.", COUNT),
    by_compression: described(
      "The largest first.",
      listOf(v.object({ compression: v.picklist(COMPRESSIONS), ...AMOUNT })),
    ),
    growth: described(
      "Paths by the day (UTC) of their first push, those without deletions since; the last is today.",
      v.pipe(listOf(v.object({ day: DAY, ...AMOUNT })), v.minLength(GROWTH_DAYS), v.maxLength(GROWTH_DAYS)),
    ),
    largest: described(
      "By the size of their compressed NARs. Fewer, until they are counted again, where very many of them were deleted.",
      v.pipe(listOf(PATH_SUMMARY), v.maxLength(LARGEST)),
    ),
    verification: VERIFICATION_STATS,
    catalog_size: described("Bytes of the catalog itself.", COUNT),
  }),
);
export type Stats = v.InferOutput<typeof STATS>;
