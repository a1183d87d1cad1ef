/**
 * The budget of every operation, as data: the most that a request may cost, however large the cache is.
 * docs/internals/budgets.md shows it (`npm run budgets` writes it); budgets.test.ts and `npm run bench:catalog` count against it.
 */

/** What the platform counts. `rowsWritten` includes the setting of an alarm. Calls are those of Durable Objects. */
export const MEASURES = ["rowsRead", "rowsWritten", "classA", "classB", "calls"] as const;
export type Measure = (typeof MEASURES)[number];

/** The most: a number, or a number and as much more for each unit of {@link Budget.each}. */
export type Bound = number | readonly [base: number, each: number];

export interface Budget extends Readonly<Record<Measure, Bound>> {
  /** As it stands in the table. */
  readonly route: string;
  /** The least that the caller must be. */
  readonly caller: "anyone" | "member" | "pusher" | "admin" | "the platform";
  /** What some bounds count: something in the request, which is bounded itself, and never the size of the cache. */
  readonly each?: string;
  /** MB that it may hold at once, apart from a body that streams through. */
  readonly megabytes: number;
  /** What happens to more. */
  readonly beyond: string;
}

const NO_ROWS = { rowsRead: 0, rowsWritten: 0, calls: 0 } as const;
const NO_BUCKET = { classA: 0, classB: 0 } as const;
const NOTHING = { ...NO_ROWS, ...NO_BUCKET } as const;
/** Of a request without a body or with a small one. */
const SMALL_MB = 4;
const SMALL = { megabytes: SMALL_MB, beyond: "never more" } as const;
/** A page of a list: its items, and one that says whether there are more. */
const PAGE = { each: "item of the page, at most 1,000", beyond: "pages" } as const;
/** One invocation of stepwise work, in a request or an alarm. */
const STEP = { rowsRead: 350_000, rowsWritten: 60_000, classA: 60, classB: 460 } as const;
const BY_STEPS = "steps: one in the request, the others in alarms";

export const BUDGETS = {
  read: {
    ...NO_ROWS,
    ...{ route: "GET, HEAD of an object: narinfo, NAR, listing, log, …", caller: "anyone" },
    ...{ classA: 0, classB: 2, megabytes: SMALL_MB },
    beyond: "one operation, a second for a range or condition that does not hold; bodies stream",
  },
  readByPusher: {
    ...{ route: "GET, HEAD of a narinfo or NAR that is there", caller: "pusher" },
    ...{ rowsRead: 10, rowsWritten: 3, classA: 0, classB: 1, calls: 1, ...SMALL },
  },
  missByPusher: {
    ...{ route: "HEAD of a narinfo or NAR that is not there", caller: "pusher" },
    ...{ ...NO_ROWS, classA: 0, classB: 1, ...SMALL },
  },
  upstream: {
    ...NO_ROWS,
    ...{ route: "GET, HEAD of a narinfo that only an upstream has", caller: "pusher" },
    ...{ classA: 0, classB: 1, megabytes: SMALL_MB, beyond: "each upstream is asked once a day" },
  },
  mirror: {
    ...{ route: "GET, HEAD of a narinfo that is to be copied from an upstream, or was", caller: "anyone" },
    ...{ rowsRead: 10, rowsWritten: 4, classA: 0, classB: 1, calls: 1, megabytes: SMALL_MB },
    beyond: "the call is made once a day by each isolate; 10,000 paths wait to be copied",
  },
  info: {
    ...NOTHING,
    ...{ route: "GET /, /nix-cache-info, /api/v1/cache, /api/v1/openapi.json", caller: "anyone", ...SMALL },
  },
  health: {
    ...{ route: "GET /health", caller: "anyone" },
    ...{ rowsRead: 100, rowsWritten: 0, classA: 0, classB: 1, calls: 1, ...SMALL },
  },
  listForAnyone: {
    ...NOTHING,
    ...{ route: "GET /?list-type=2", caller: "anyone", megabytes: SMALL_MB, beyond: "refused (401)" },
  },
  list: {
    ...NO_ROWS,
    ...{ route: "GET /?list-type=2", caller: "member" },
    ...{ classA: 12, classB: 0, megabytes: 8, beyond: "pages of at most 1,000 keys" },
  },
  push: {
    ...{ route: "a push: GET narinfo, HEAD NAR, PUT NAR, PUT narinfo", caller: "pusher", each: "reference" },
    ...{ rowsRead: [20, 2], rowsWritten: [6, 1], classA: 2, classB: 2, calls: 2 },
    ...{
      megabytes: 8,
      beyond: "a NAR above 64 KiB streams, and is 2 of class B more; a narinfo has at most 1 MiB",
    },
  },
  publishPaths: {
    ...{ route: "POST /api/v1/paths", caller: "pusher", each: "path with five references, at most 50" },
    ...{ rowsRead: [10, 17], rowsWritten: [2, 10], classA: [0, 2], classB: [0, 1], calls: 1 },
    megabytes: 32,
    beyond:
      "refused (413). 400 references that are not there are looked up in the bucket, paths with more are put off (503)",
  },
  pushAgain: {
    ...{ route: "PUT of a NAR and a narinfo that are there", caller: "pusher", each: "reference" },
    ...{ rowsRead: [40, 2], rowsWritten: 10, classA: 1, classB: 2, calls: 2 },
    ...{ megabytes: 8, beyond: "as a push" },
  },
  pushOnUpstream: {
    ...{ route: "a push whose references an upstream has", caller: "pusher", each: "reference" },
    ...{ rowsRead: [40, 10], rowsWritten: [10, 2], classA: 2, classB: 2, calls: 3 },
    ...{ megabytes: 8, beyond: "as a push; each upstream is asked once for each reference that is new" },
  },
  unknownReferences: {
    ...{ route: "PUT of a narinfo with references that are not there", caller: "pusher", each: "reference" },
    ...{ rowsRead: [40, 10], rowsWritten: 4, classA: 0, classB: [1, 1], calls: 2 },
    ...{ megabytes: 8, beyond: "200 are looked up in the bucket, then it is refused (409)" },
  },
  metadata: {
    ...{ route: "PUT of a listing, log, realisation, debuginfo object", caller: "pusher" },
    ...{ rowsRead: 20, rowsWritten: 5, classA: 2, classB: 2, calls: 1 },
    ...{
      megabytes: 64,
      beyond: "above the limit of its kind refused (413), or left out (200); 409 above 512 of one owner",
    },
  },
  upload: {
    ...{ route: "POST ?uploads, PUT of a part", caller: "pusher" },
    ...{
      rowsRead: 6,
      rowsWritten: 3,
      classA: 1,
      classB: 0,
      calls: 1,
      megabytes: SMALL_MB,
      beyond: "parts stream",
    },
  },
  complete: {
    ...{ route: "POST ?uploadId: completion", caller: "pusher", each: "part, at most 10,000" },
    ...{ rowsRead: [20, 3], rowsWritten: [6, 1], classA: 8, classB: 6, calls: 4 },
    ...{ megabytes: 32, beyond: "a NAR above 5 GB is copied in parts of 4 GiB, one class A and one B each" },
  },
  missingForAnyone: {
    ...{ route: "POST /api/v1/missing", caller: "anyone", each: "hash, at most 1,000" },
    ...{ rowsRead: [5, 2], rowsWritten: 0, ...NO_BUCKET, calls: 1, megabytes: 16, beyond: "refused" },
  },
  missing: {
    ...{ route: "POST /api/v1/missing", caller: "pusher", each: "hash, at most 20,000" },
    ...{
      rowsRead: [10, 8],
      rowsWritten: [0, 3],
      ...NO_BUCKET,
      calls: 1,
      megabytes: 64,
      beyond: "refused (400)",
    },
  },
  searchForAnyone: {
    ...NOTHING,
    ...{ route: "GET /api/v1/paths", caller: "anyone", megabytes: SMALL_MB, beyond: "refused (401)" },
  },
  search: {
    ...{ route: "GET /api/v1/paths", caller: "member" },
    ...{ rowsRead: 14_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, megabytes: 16 },
    beyond: "10,000 names a page are looked at; the page says how far it came",
  },
  detail: {
    ...{ route: "GET /api/v1/paths/<hash>", caller: "anyone" },
    ...{ rowsRead: 100_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, megabytes: 32 },
    beyond: "counting stops at 10,000 paths of a closure, and at 10,000 referrers; 1,000 are named",
  },
  statsForAnyone: {
    ...NOTHING,
    ...{ route: "GET /api/v1/stats", caller: "anyone", megabytes: SMALL_MB, beyond: "refused (401)" },
  },
  stats: {
    ...{ route: "GET /api/v1/stats", caller: "member" },
    ...{ rowsRead: 1_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, ...SMALL },
    beyond: "kept as they change",
  },
  metricsForAnyone: {
    ...NOTHING,
    ...{ route: "GET /metrics", caller: "anyone", megabytes: SMALL_MB, beyond: "refused (401)" },
  },
  metrics: {
    ...{ route: "GET /metrics", caller: "member" },
    ...{ rowsRead: 12_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, ...SMALL },
    beyond: "kept as they change; after a change of any, pins are counted, up to 10,000",
  },
  pinsForAnyone: {
    ...NOTHING,
    ...{ route: "GET /api/v1/pins", caller: "anyone", megabytes: SMALL_MB, beyond: "refused (401)" },
  },
  pins: {
    ...{ route: "GET /api/v1/pins", caller: "member", ...PAGE },
    ...{ rowsRead: [5, 5], rowsWritten: 0, ...NO_BUCKET, calls: 1, megabytes: 16 },
  },
  pin: {
    ...{ route: "GET /api/v1/pins/<name>", caller: "member", each: "revision, at most 1,000" },
    ...{ rowsRead: [5, 2], rowsWritten: 0, ...NO_BUCKET, calls: 1, ...SMALL },
  },
  putPin: {
    ...{ route: "PUT /api/v1/pins/<name>", caller: "pusher", each: "revision, at most 1,000" },
    ...{ rowsRead: [25, 4], rowsWritten: 8, classA: 1, classB: 1, calls: 1, megabytes: 8 },
    beyond: "one row for a revision; those that are not kept go",
  },
  deletePin: {
    ...{ route: "DELETE /api/v1/pins/<name>", caller: "pusher", each: "revision, at most 1,000" },
    ...{ rowsRead: [20, 2], rowsWritten: [6, 2], classA: 1, classB: 1, calls: 1, ...SMALL },
  },
  deletePath: {
    ...{ route: "DELETE /api/v1/paths/<hash>", caller: "admin", each: "reference and companion" },
    ...{ rowsRead: [2_000, 4], rowsWritten: [16, 3], classA: 0, classB: 2, calls: 1, megabytes: 8 },
    beyond:
      "refused (409) if other paths refer to it, of which 500 are looked at for pins; its NAR goes in an alarm",
  },
  deleteReferrers: {
    ...STEP,
    ...{ route: "DELETE /api/v1/paths/<hash>?closure=referrers", caller: "admin" },
    ...{ calls: 1, megabytes: 64, beyond: BY_STEPS },
  },
  run: {
    ...STEP,
    ...{ route: "POST /api/v1/gc, check, reindex, resign", caller: "admin" },
    ...{ calls: 1, megabytes: 64, beyond: BY_STEPS },
  },
  runStatus: {
    ...{ route: "GET /api/v1/gc, check, reindex, resign", caller: "admin" },
    ...{ rowsRead: 2_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, megabytes: SMALL_MB },
    beyond: "the first findings of each kind, and their number",
  },
  mint: {
    ...{ route: "POST /api/v1/tokens", caller: "admin" },
    ...{ rowsRead: 1_100, rowsWritten: 4, ...NO_BUCKET, calls: 2, megabytes: SMALL_MB },
    beyond: "refused (429) above the number of good tokens of one name",
  },
  exchange: {
    ...{ route: "POST /api/v1/tokens/exchange", caller: "anyone" },
    ...{ rowsRead: 10, rowsWritten: 0, ...NO_BUCKET, calls: 2, megabytes: SMALL_MB },
    beyond: "never more: exchanged tokens have no row",
  },
  tokens: {
    ...{ route: "GET /api/v1/tokens", caller: "admin", ...PAGE },
    ...{ rowsRead: [1_100, 3], rowsWritten: 0, ...NO_BUCKET, calls: 2, megabytes: 8 },
  },
  revoke: {
    ...{ route: "GET, DELETE /api/v1/tokens/<id>", caller: "admin", each: "token minted with it" },
    ...{ rowsRead: [1_100, 4], rowsWritten: [2, 2], ...NO_BUCKET, calls: 3, ...SMALL },
  },
  whoami: {
    ...{ route: "GET /api/v1/whoami", caller: "anyone" },
    ...{ rowsRead: 1_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, ...SMALL },
  },
  page: {
    ...NOTHING,
    ...{ route: "GET / as a page, /_/, its stylesheet and script", caller: "anyone", ...SMALL },
  },
  pageForAnyone: {
    ...NOTHING,
    ...{ route: "GET /_/search, state, files, raw, serve", caller: "anyone" },
    ...{ megabytes: SMALL_MB, beyond: "refused (401)" },
  },
  searchPage: {
    ...{ route: "GET /_/search", caller: "member" },
    ...{ rowsRead: 14_000, rowsWritten: 0, ...NO_BUCKET, calls: 1, megabytes: 16 },
    beyond: "50 paths; 10,000 names are looked at, as in GET /api/v1/paths",
  },
  pathPage: {
    ...{ route: "GET /_/path/<hash>", caller: "anyone" },
    ...{ rowsRead: 100_000, rowsWritten: 0, classA: 0, classB: 1, calls: 1, megabytes: 32 },
    beyond: "as GET /api/v1/paths/<hash>",
  },
  statePage: {
    ...{ route: "GET /_/state", caller: "member" },
    ...{ rowsRead: 4_000, rowsWritten: 0, ...NO_BUCKET, calls: 4, megabytes: 16 },
    beyond: "50 pins; what runs have found is the first of each kind",
  },
  filesPage: {
    ...NO_ROWS,
    ...{ route: "GET /_/files, raw, serve/<hash>/…", caller: "member" },
    ...{ each: "style and picture in a document, at most 24", classA: 0, classB: [4, 1], megabytes: 64 },
    beyond:
      "the first 64 MiB of a compressed NAR and listings up to 8 MiB (413); 256 KiB of a text, 5,000 entries",
  },
  logPage: {
    ...NO_ROWS,
    ...{ route: "GET /_/log/<deriver>", caller: "anyone" },
    ...{ classA: 0, classB: 1, megabytes: SMALL_MB },
    beyond: "it streams; 4 MiB, for members 32 MiB",
  },
  firstRequest: {
    ...{ route: "the first request after an update", caller: "anyone" },
    ...{ rowsRead: 100_000, rowsWritten: 50_000, ...NO_BUCKET, calls: 1, megabytes: 16 },
    beyond: "within a second; rows are migrated in steps by alarms; it serves and publishes meanwhile",
  },
  cron: {
    ...STEP,
    ...{ route: "the daily cron trigger", caller: "the platform" },
    ...{ calls: [0, 1], each: "cache that collects", megabytes: 16, beyond: BY_STEPS },
  },
  alarm: {
    ...STEP,
    ...{
      route: "an alarm: a step of a run, a sweep, a verification",
      caller: "the platform",
    },
    ...{ calls: 0, megabytes: 64, beyond: "the next alarm goes on" },
  },
} as const satisfies Readonly<Record<string, Budget>>;

export type Operation = keyof typeof BUDGETS;

export type Cost = Readonly<Record<Measure, number>>;

/** What a cost has more than its budget, in words: `rows read 31, not 30`. Empty if it is within. */
export function excess(operation: Operation, cost: Cost, units = 0): string[] {
  const budget: Budget = BUDGETS[operation];
  return MEASURES.filter((measure) => cost[measure] > most(budget[measure], units)).map(
    (measure) => `${TITLES[measure]} ${cost[measure]}, not ${most(budget[measure], units)}`,
  );
}

function most(bound: Bound, units: number): number {
  return typeof bound === "number" ? bound : bound[0] + bound[1] * units;
}

const TITLES: Readonly<Record<Measure, string>> = {
  rowsRead: "rows read",
  rowsWritten: "rows written",
  classA: "class A",
  classB: "class B",
  calls: "calls",
};

/** The table stands between these lines of docs/internals/budgets.md. */
export const START = "<!-- npm run budgets: begin -->";
export const END = "<!-- npm run budgets: end -->";

/** The table in Markdown, and below it a list of the rest. Nothing is padded, so that a change is one line. */
export function budgetTable(): string {
  const budgets = Object.values<Budget>(BUDGETS);
  const head = ["operation", "caller", ...MEASURES.map((measure) => TITLES[measure]), "MB"];
  const rule = head.map((title) => (["operation", "caller"].includes(title) ? "---" : "--:"));
  const rows = budgets.map((budget) => [
    budget.route,
    budget.caller,
    ...MEASURES.map((measure) => boundText(budget[measure])),
    String(budget.megabytes),
  ]);
  const table = [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const notes = budgets.filter(({ each, beyond }) => each !== undefined || beyond !== SMALL.beyond);
  const rest = notes.map(({ route, caller, each, beyond }) => {
    const unit = each === undefined ? "" : ` Each: ${each}.`;
    return `- ${route} (${caller}):${unit} ${beyond.slice(0, 1).toUpperCase()}${beyond.slice(1)}.`;
  });
  return [...table, "", ...rest].join("\n");
}

function boundText(bound: Bound): string {
  const number = (value: number) => value.toLocaleString("en");
  if (typeof bound === "number") return number(bound);
  const [base, each] = bound;
  return base === 0 ? `${number(each)} each` : `${number(base)} + ${number(each)} each`;
}
