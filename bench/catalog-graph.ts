// The shape of a made-up catalog of any size: 4.6 references a path, one path whose closure is 71 % of the catalog, and
// one that 60 % of the catalog refers to.
import { pathName, storeHash } from "./catalog-paths.ts";

/** Parts of the catalog. */
const TREE = 0.709;
const WIDE = 0.6;
/** References of a path in the tree to the next lower level. */
const FAN = 4;
const DAY_MS = 24 * 3600 * 1000;
/** The age of what a collection with `retention_days` up to this takes, if nothing keeps it. */
const OLD_DAYS = 200;

export interface Graph {
  readonly paths: number;
  /** The path that most others refer to. */
  readonly wide: number;
  /** How many do. */
  readonly referrers: number;
  /** The path with the large closure. */
  readonly top: number;
  /** Paths that a collection with a retention of 30 days removes. */
  readonly dead: number;
  /** Each is less than the path itself: in the order of their numbers, references come first. */
  readonly references: (path: number) => readonly number[];
  /** Milliseconds from the push until now. */
  readonly age: (path: number) => number;
}

/**
 * The numbers are, from 0: paths without references (the first is the wide one); the tree, its root last; and what
 * nothing refers to, a third of which is old. `paths` is at least 100.
 */
export function graphOf(paths: number): Graph {
  const bases = Math.max(10, Math.floor(paths / 1000));
  const tree = Math.round(paths * TREE);
  const top = bases + tree - 1;
  const loose = paths - top - 1;
  const referrers = Math.round(paths * WIDE);
  /** Leaves of the tree with the lowest numbers refer to the wide path, too. */
  const leaves = referrers - loose;
  const references = (path: number): number[] => {
    if (path < bases) return [];
    const count = path % 5 < 3 ? 5 : 4;
    const chosen = new Set<number>();
    if (path <= top) {
      const place = top - path;
      for (let child = 1; child <= FAN; child++) {
        const reference = top - (FAN * place + child);
        if (reference >= bases) chosen.add(reference);
      }
    }
    if (path > top || path < bases + leaves) chosen.add(0);
    for (let next = 1; chosen.size < count; next++) chosen.add(1 + ((path * 7 + next) % (bases - 1)));
    return [...chosen];
  };
  const isOld = (path: number) => (path <= top ? path !== top && path !== 0 : path % 3 === 0);
  return {
    ...{ paths, wide: 0, referrers, top },
    dead: Array.from({ length: loose }, (_, index) => top + 1 + index).filter(isOld).length,
    references,
    age: (path) => (isOld(path) ? OLD_DAYS : path % 20) * DAY_MS,
  };
}

export const hashOf = (path: number): string => storeHash(path);
export const nameOf = (path: number): string => pathName(path);
