/**
 * What each action costs, as data: deeds.test.ts counts it, and `npm run cost` makes the tables of
 * docs/operating/costs-and-limits.md from it. A path has five references and a NAR of 1 to 64 KiB, compressed with zstd; a larger
 * one takes two operations of class B more.
 */
import { type Deed, PUSH } from "../../src/page/prices.ts";

export interface Counted extends Deed {
  /** As it stands in the table. */
  readonly title: string;
}

const NOTHING: Deed = { requests: 0, classA: 0, classB: 0, calls: 0, rowsRead: 0, rowsWritten: 0 };
const READ: Deed = { ...NOTHING, requests: 1, classB: 1 };
const CALL: Deed = { ...NOTHING, requests: 1, calls: 1 };

export const DEEDS = {
  miss: { ...READ, title: "a narinfo that is not here" },
  fromUpstream: { ...READ, title: "the same, an upstream has it" },
  pull: { ...READ, requests: 2, classB: 2, title: "a path pulled: narinfo and NAR" },
  pullByPusher: {
    ...{ requests: 2, classA: 0, classB: 2, calls: 2, rowsRead: 11, rowsWritten: 1 },
    title: "the same with a push token, where it collects",
  },
  push: { ...PUSH, title: "a path pushed alone" },
  pushOfMany: {
    ...PUSH,
    calls: 2.11,
    rowsRead: 48.03,
    rowsWritten: 17.2,
    title: "one of 100 pushed together",
  },
  pushOnUpstream: {
    ...{ requests: 9, classA: 2, classB: 8, calls: 5, rowsRead: 86, rowsWritten: 26 },
    title: "one whose five references an upstream has",
  },
  pushOnUpstreamAgain: { ...PUSH, rowsRead: 68, title: "the next with the same references" },
  here: { ...READ, title: "a path that is here already" },
  hereAndCollecting: {
    ...{ ...READ, calls: 1, rowsRead: 8, rowsWritten: 1 },
    title: "the same, where it collects",
  },
  missing: { ...CALL, rowsRead: 300, title: "`missing` for 200 paths, half of them here" },
  missingAndCollecting: {
    ...{ ...CALL, rowsRead: 1000, rowsWritten: 100 },
    title: "the same by a pusher, where it collects",
  },
  mirror: {
    ...{ requests: 1, classA: 2, classB: 4, calls: 3, rowsRead: 87, rowsWritten: 31 },
    title: "a path mirrored",
  },
  collection: { ...CALL, calls: 2, rowsRead: 58, rowsWritten: 11, title: "a collection, once a day" },
  kept: { ...NOTHING, rowsRead: 4, title: "… for each path that it keeps" },
  removed: {
    ...NOTHING,
    rowsRead: 112.2,
    rowsWritten: 23.5,
    title: "… for each that it removes, and its NAR",
  },
  scrape: { ...CALL, rowsRead: 4, title: "a scrape of `/metrics`" },
} as const satisfies Record<string, Counted>;
export type DeedName = keyof typeof DEEDS;
