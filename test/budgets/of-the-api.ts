/** Requests for /api/v1: the most expensive ones that a client can make. */
import { hashOf, nameOf } from "../../bench/catalog-graph.ts";
import type { HeaderList, TestCache } from "../support/cache.ts";
import { type Asked, api, asAdmin, asPusher, newPath, REFERENCES, type Send } from "./asked.ts";

const REVISIONS = 30;
const MISSING = 80;
const PUBLISHED = await Promise.all(Array.from({ length: 20 }, (_, index) => newPath(`published-${index}`)));
const TOKEN = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 3600 };
/** Nothing, everything, and what few names have. */
const SEARCHES = [
  "?q=zzz",
  "?prefix=zzz",
  "?q=package&limit=1000",
  "?prefix=package-with&limit=1000",
  "?q=-7&limit=1000",
];

/** The token that is revoked. */
const minted = { id: "" };

const missing =
  (headers: HeaderList): Send =>
  (on, { paths }) => {
    const asked = Array.from({ length: MISSING }, (_, index) =>
      hashOf(index % 2 === 0 ? index : paths + index),
    );
    return api("POST", "/missing", headers, { paths: asked })(on, { paths } as never);
  };

const pin = (revision: number) =>
  api("PUT", "/pins/web", asPusher, { store_path: `/nix/store/${nameOf(revision)}` });

async function putPins(on: TestCache, graph: Parameters<Send>[1]): Promise<void> {
  for (let revision = 0; revision < REVISIONS; revision++) await pin(revision)(on, graph);
}

export const OF_THE_API: readonly Asked[] = [
  { operation: "missingForAnyone", status: 200, units: MISSING, request: missing({}) },
  { operation: "missing", status: 200, units: MISSING, request: missing(asPusher) },
  {
    ...{ operation: "publishPaths", status: 200, units: PUBLISHED.length },
    prepare: (on) => Promise.all(PUBLISHED.map(({ narKey, nar }) => on.put(`/${narKey}`, nar))),
    request: api("POST", "/paths", asPusher, {
      paths: PUBLISHED.map(({ text: narinfo }) => ({ narinfo, listing: "{}" })),
    }),
  },
  ...SEARCHES.flatMap((what): Asked[] => [
    { operation: "searchForAnyone", what, status: 401, request: api("GET", `/paths${what}`) },
    { operation: "search", what, status: 200, request: api("GET", `/paths${what}`, asPusher) },
  ]),
  {
    ...{ operation: "detail", what: "of the largest closure", status: 200 },
    request: api("GET", ({ top }) => `/paths/${hashOf(top)}`),
  },
  {
    ...{ operation: "detail", what: "of the most referrers", status: 200 },
    request: api("GET", ({ wide }) => `/paths/${hashOf(wide)}`),
  },
  { operation: "stats", status: 200, request: api("GET", "/stats", asPusher) },
  { operation: "metrics", status: 200, request: (on) => on.get("/metrics", asPusher) },
  { operation: "metricsForAnyone", status: 401, request: (on) => on.get("/metrics") },
  { operation: "statsForAnyone", status: 401, request: api("GET", "/stats") },
  {
    ...{ operation: "putPin", status: 200, units: REVISIONS },
    prepare: putPins,
    request: pin(REVISIONS),
  },
  { operation: "pinsForAnyone", status: 401, request: api("GET", "/pins") },
  { operation: "pins", status: 200, units: REVISIONS, request: api("GET", "/pins", asPusher) },
  { operation: "pin", status: 200, units: REVISIONS, request: api("GET", "/pins/web", asPusher) },
  { operation: "deletePin", status: 200, units: REVISIONS, request: api("DELETE", "/pins/web", asPusher) },
  { operation: "mint", status: 200, request: api("POST", "/tokens", asAdmin, TOKEN) },
  { operation: "tokens", status: 200, units: 1, request: api("GET", "/tokens", asAdmin) },
  {
    ...{ operation: "revoke", status: 200, units: 1 },
    prepare: async (on, graph) => {
      const { text } = await api("POST", "/tokens", asAdmin, TOKEN)(on, graph);
      minted.id = (JSON.parse(text) as { id: string }).id;
    },
    request: (on, graph) => api("DELETE", `/tokens/${minted.id}`, asAdmin)(on, graph),
  },
  { operation: "whoami", status: 200, request: api("GET", "/whoami", asPusher) },
  {
    ...{ operation: "deletePath", what: "that nothing refers to", status: 200, units: REFERENCES },
    request: api("DELETE", ({ paths }) => `/paths/${hashOf(paths - 9)}`, asAdmin),
  },
  {
    ...{ operation: "deletePath", what: "that most refer to", status: 409, units: REFERENCES },
    request: api("DELETE", ({ wide }) => `/paths/${hashOf(wide)}`, asAdmin),
  },
];
