// GET /stats: statistics of the cache.
import { STATS } from "../contract/stats.ts";
import { operation } from "./operation.ts";

export const STATS_OPERATIONS = [
  operation({
    id: "stats",
    method: "GET",
    path: "/stats",
    permission: "list",
    summary: "What is in the cache, in numbers.",
    answer: STATS,
    handle: ({ catalog }) => catalog((c) => c.stats()),
  }),
];
