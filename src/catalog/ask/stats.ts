// Statistics of the cache, from the figures that are kept: it reads a few rows, however large the cache is.
import { type Amount, GROWTH_DAYS, LARGEST, type Stats } from "../../contract/stats.ts";
import type { Compression } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { DAY_MS, type Figures, noFigures } from "../figures.ts";
import { keptFigures } from "../rows/figures.ts";
import { findingsOf } from "../rows/findings.ts";
import { isoTime } from "../times.ts";
import { summaries } from "./summary.ts";

/** False narinfos that the statistics name. */
const MAX_NAMED = 20;
const NOTHING: Amount = { paths: 0, nar_size: 0, file_size: 0 };

/** The figures, and the time in milliseconds since the epoch when they were exact. */
export function currentFigures(c: CatalogContext): {
  readonly figures: Figures;
  readonly isExact: boolean;
  readonly asOf: number;
} {
  const { figures: exact, countedAt, isExact, recount } = keptFigures(c);
  // Before the first count has ended: what it has counted.
  const figures = exact ?? recount?.figures ?? noFigures();
  return { figures, isExact, asOf: isExact || exact === undefined ? c.now() : countedAt };
}

export function statsOf(c: CatalogContext): Stats {
  const { figures, isExact, asOf } = currentFigures(c);
  const byCompression = Object.entries(figures.by_compression);
  const total = byCompression.reduce((sum, [, amount]) => add(sum, amount), NOTHING);
  return {
    as_of: isoTime(asOf),
    ...(!isExact && { counting: true }),
    paths: total.paths,
    nar_size: total.nar_size,
    nars: figures.nars,
    stored_size: figures.stored_size,
    by_compression: byCompression
      .map(([compression, amount]) => ({ compression: compression as Compression, ...amount }))
      .sort((a, b) => b.file_size - a.file_size || a.compression.localeCompare(b.compression)),
    growth: growth(figures, Math.floor(c.now() / DAY_MS)),
    largest: summaries(
      c,
      figures.largest.slice(0, LARGEST).map(([, hash]) => hash),
    ),
    verification: {
      ...figures.contents,
      false_narinfos: findingsOf(c, "verify", "false-narinfo", MAX_NAMED),
    },
    catalog_size: c.sql.databaseSize,
  };
}

function growth({ by_day }: Figures, today: number): Stats["growth"] {
  return Array.from({ length: GROWTH_DAYS }, (_, index) => {
    const day = today - GROWTH_DAYS + 1 + index;
    return { day: isoTime(day * DAY_MS).slice(0, 10), ...(by_day[`${day}`] ?? NOTHING) };
  });
}

function add(a: Amount, b: Amount): Amount {
  return {
    paths: a.paths + b.paths,
    nar_size: a.nar_size + b.nar_size,
    file_size: a.file_size + b.file_size,
  };
}
