/** Requests for pages: the most expensive ones that a reader can make. */
import { env } from "cloudflare:workers";
import { hashOf } from "../../bench/catalog-graph.ts";
import { store } from "../support/cache.ts";
import { push, testPath } from "../support/store-paths.ts";
import { type Asked, asPusher } from "./asked.ts";

const browser = { Accept: "text/html" };
const member = { ...asPusher, ...browser };
const demo = await testPath("paged-1");
const { hash } = demo.info.storePath;
const DERIVER = `${"0".repeat(32)}-package-1.drv`;
const FILES = [
  `/_/files/${hash}/`,
  `/_/raw/${hash}/a`,
  `/_/serve/${hash}/`,
  `/_/files/${hash}/a`,
  `/_/files/${hash}/missing`,
];

async function withListing(): Promise<void> {
  const file = { type: "regular", size: 8, narOffset: 0 };
  const root = { type: "directory", entries: { a: file, "index.html": file } };
  await env.BUCKET.put(`${hash}.ls`, JSON.stringify({ version: 1, root }));
}

export const OF_THE_PAGES: readonly Asked[] = [
  { operation: "page", what: "front page", status: 200, request: (on) => on.get("/", browser) },
  { operation: "page", what: "use it", status: 200, request: (on) => on.get("/_/", browser) },
  {
    ...{ operation: "page", what: "a stylesheet", status: 404 },
    request: (on) => on.get("/_/style-0123456789ab.css"),
  },
  ...["/_/search", "/_/state", ...FILES].map(
    (what): Asked => ({
      operation: "pageForAnyone",
      what,
      status: 401,
      request: (on) => on.get(what, browser),
    }),
  ),
  ...["", "?q=zzz", "?q=package", "?q=-7"].map(
    (what): Asked => ({
      ...{ operation: "searchPage", what, status: 200 },
      request: (on) => on.get(`/_/search${what}`, member),
    }),
  ),
  {
    ...{ operation: "pathPage", what: "of the largest closure", status: 200 },
    request: (on, { top }) => on.get(`/_/path/${hashOf(top)}`, browser),
  },
  {
    ...{ operation: "pathPage", what: "of the most referrers", status: 200 },
    request: (on, { wide }) => on.get(`/_/path/${hashOf(wide)}`, member),
  },
  { operation: "statePage", status: 200, request: (on) => on.get("/_/state", member) },
  {
    ...{ operation: "filesPage", what: "without a listing", status: 200 },
    prepare: (on) => push(on, demo),
    request: (on) => on.get(`/_/files/${hash}/`, member),
  },
  ...FILES.map(
    (what): Asked => ({
      ...{ operation: "filesPage", what, status: [200, 404], prepare: withListing },
      request: (on) => on.get(what, member),
    }),
  ),
  {
    ...{ operation: "logPage", status: 200 },
    prepare: () => store(`log/${DERIVER}`, "a log"),
    request: (on) => on.get(`/_/log/${DERIVER}`, browser),
  },
];
