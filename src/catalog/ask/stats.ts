// Statistics of the cache.
import { type Amount, GROWTH_DAYS, LARGEST, type Stats } from "../../contract/stats.ts";
import type { Compression } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { findingsOf } from "../rows/findings.ts";
import { countContents } from "../rows/nar-facts.ts";
import { isoTime } from "../times.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summary } from "./search.ts";

/** False narinfos that the statistics name. */
const MAX_NAMED = 20;
const DAY_MS = 24 * 3600 * 1000;
/**
 * Milliseconds for which the numbers are cached. Counting reads every row (a third of a second for 200,000 paths) and
 * blocks publications, and on a public cache any visitor may request it.
 */
export const STATS_AGE_MS = 60_000;

/** Keeps the numbers in memory for {@link STATS_AGE_MS}. */
export class RecentStats {
  #counted: { readonly at: number; readonly stats: Stats } | undefined;

  get(c: CatalogContext): Stats {
    const now = c.now();
    if (this.#counted === undefined || now >= this.#counted.at + STATS_AGE_MS) {
      this.#counted = { at: now, stats: countStats(c) };
    }
    return this.#counted.stats;
  }
}

interface AmountRow extends Record<string, SqlStorageValue> {
  compression: Compression;
  /** Since the epoch. */
  day: number;
  paths: number;
  nar_size: number;
  file_size: number;
}

export function countStats(c: CatalogContext): Stats {
  // One pass over the wide rows for everything that is a sum.
  const rows = c.sql
    .exec<AmountRow>(
      `SELECT compression, first_push / ${DAY_MS} AS day, count(*) AS paths, sum(nar_size) AS nar_size,
         sum(file_size) AS file_size
       FROM paths GROUP BY compression, day`,
    )
    .toArray();
  const nars = c.sql
    .exec<{ nars: number; size: number }>(
      "SELECT count(*) AS nars, coalesce(sum(size), 0) AS size FROM nars WHERE is_stored = 1",
    )
    .one();
  const largest = c.sql
    .exec<SummaryRow>(`SELECT ${SUMMARY_COLUMNS} FROM paths ORDER BY file_size DESC, hash LIMIT ${LARGEST}`)
    .toArray();
  const total = add(rows);
  return {
    as_of: isoTime(c.now()),
    paths: total.paths,
    nar_size: total.nar_size,
    nars: nars.nars,
    stored_size: nars.size,
    by_compression: byCompression(rows),
    growth: growth(rows, Math.floor(c.now() / DAY_MS)),
    largest: largest.map((row) => summary(c, row)),
    verification: {
      ...countContents(c),
      false_narinfos: findingsOf(c, "verify", "false-narinfo", MAX_NAMED),
    },
    catalog_size: c.sql.databaseSize,
  };
}

function byCompression(rows: readonly AmountRow[]): Stats["by_compression"] {
  return [...Map.groupBy(rows, (row) => row.compression)]
    .map(([compression, group]) => ({ compression, ...add(group) }))
    .sort((a, b) => b.file_size - a.file_size || a.compression.localeCompare(b.compression));
}

function growth(rows: readonly AmountRow[], today: number): Stats["growth"] {
  const byDay = Map.groupBy(rows, (row) => row.day);
  return Array.from({ length: GROWTH_DAYS }, (_, index) => {
    const day = today - GROWTH_DAYS + 1 + index;
    return { day: isoTime(day * DAY_MS).slice(0, 10), ...add(byDay.get(day) ?? []) };
  });
}

function add(rows: readonly AmountRow[]): Amount {
  return {
    paths: rows.reduce((sum, row) => sum + row.paths, 0),
    nar_size: rows.reduce((sum, row) => sum + row.nar_size, 0),
    file_size: rows.reduce((sum, row) => sum + row.file_size, 0),
  };
}
