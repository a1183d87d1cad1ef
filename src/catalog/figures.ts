// The running totals behind the statistics, as a value: paths and NARs are added and taken away one by one.
import type { Amount } from "../contract/stats.ts";
import type { Compression } from "../nix/narinfo.ts";

export const DAY_MS = 24 * 3600 * 1000;
/** Days that are kept, newest first: more than the statistics show, so that a clock that is set back loses none. */
const MAX_DAYS = 90;
/** Largest paths that are kept: more than the statistics show, so that deletions rarely use them up. */
const MAX_LARGEST = 200;

/** The columns of a path that count. */
export interface PathFigure extends Record<string, SqlStorageValue> {
  hash: string;
  compression: Compression;
  nar_size: number;
  file_size: number;
  /** Milliseconds since the epoch. */
  first_push: number;
}

/** The columns of a stored NAR that count. */
export interface NarFigure extends Record<string, SqlStorageValue> {
  key: string;
  size: number;
  content: string | null;
  is_queued: number;
}

export type ContentState = "verified" | "waiting" | "unverifiable" | "unknown";

/** Plain data: JSON keeps all of it. */
export interface Figures {
  readonly by_compression: { [compression in Compression]?: Amount };
  /** By the number of the day since the epoch. */
  readonly by_day: Record<string, Amount>;
  /** File sizes and hashes of the largest paths, the largest first. */
  largest: [number, string][];
  /** Every path that is not among `largest` comes after this one; `null` where all paths are. */
  floor: [number, string] | null;
  nars: number;
  /** Bytes. */
  stored_size: number;
  readonly contents: Record<ContentState, number>;
}

export function noFigures(): Figures {
  return {
    by_compression: {},
    by_day: {},
    largest: [],
    floor: null,
    nars: 0,
    stored_size: 0,
    contents: { verified: 0, waiting: 0, unverifiable: 0, unknown: 0 },
  };
}

export function addPath(figures: Figures, path: PathFigure): void {
  countPath(figures, path, 1);
  const place: [number, string] = [path.file_size, path.hash];
  if (figures.floor !== null && order(place, figures.floor) > 0) return;
  const index = figures.largest.findIndex((other) => order(place, other) < 0);
  figures.largest.splice(index < 0 ? figures.largest.length : index, 0, place);
  if (figures.largest.length > MAX_LARGEST) figures.floor = figures.largest.pop() ?? null;
}

export function removePath(figures: Figures, path: PathFigure): void {
  countPath(figures, path, -1);
  figures.largest = figures.largest.filter(([, hash]) => hash !== path.hash);
}

export function addNar(figures: Figures, nar: NarFigure, sign: 1 | -1 = 1): void {
  figures.nars += sign;
  figures.stored_size += sign * nar.size;
  const state = stateOf(nar);
  if (state !== undefined) figures.contents[state] += sign;
}

/** `undefined` for what is known to be false, and about to be deleted. */
function stateOf({ content, is_queued }: NarFigure): ContentState | undefined {
  if (content === "verified" || content === "unverifiable") return content;
  if (content !== null) return undefined;
  return is_queued === 1 ? "waiting" : "unknown";
}

function countPath({ by_compression, by_day }: Figures, path: PathFigure, sign: 1 | -1): void {
  add(by_compression, path.compression, path, sign);
  const day = `${Math.floor(path.first_push / DAY_MS)}`;
  // A day that is kept no longer has no path to lose.
  if (sign === 1 || day in by_day) add(by_day, day, path, sign);
  const days = Object.keys(by_day);
  if (days.length > MAX_DAYS) delete by_day[`${Math.min(...days.map(Number))}`];
}

function add(amounts: Record<string, Amount>, key: string, path: PathFigure, sign: 1 | -1): void {
  const { paths = 0, nar_size = 0, file_size = 0 } = amounts[key] ?? {};
  amounts[key] = {
    paths: paths + sign,
    nar_size: nar_size + sign * path.nar_size,
    file_size: file_size + sign * path.file_size,
  };
  if (paths + sign === 0) delete amounts[key];
}

/** Negative where `a` comes first: the larger one, of equal ones that with the lesser hash. */
function order(a: readonly [number, string], b: readonly [number, string]): number {
  return b[0] - a[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0);
}
