// The requests that bench/catalog.ts measures: the most expensive of each kind, and the usual ones.
import { type Graph, hashOf, nameOf } from "./catalog-graph.ts";
import type { Request } from "./catalog-measured.ts";
import { makeNar, makeNarInfo, type StoredObject } from "./objects.ts";

export const PUSH_TOKEN = "bench-push-token-of-the-catalog";
export const ADMIN_TOKEN = "bench-admin-token-of-the-catalog";
const asPusher = { Authorization: `Bearer ${PUSH_TOKEN}` };
const asAdmin = { Authorization: `Bearer ${ADMIN_TOKEN}` };

const REFERENCES = 5;
const NAR_BYTES = 800;
/** As large as the body of `missing` may be. */
const BRACKETS = "[".repeat(8 * 1024 * 1024 - 1);

/** The status of the answer, read to its end; 0 where there is none within five minutes. */
export async function send(url: string, path: string, init: RequestInit = {}): Promise<number> {
  try {
    const answer = await fetch(url + path, init);
    await answer.arrayBuffer();
    return answer.status;
  } catch (error) {
    console.error(`${init.method ?? "GET"} ${path}: ${String(error)}`);
    return 0;
  }
}

/** The four requests of Nix for a new path, which refers to paths of the graph, if any; the status of the last. */
export async function push(url: string, graph?: Graph): Promise<number> {
  const nar = makeNar(NAR_BYTES);
  const references =
    graph === undefined ? [] : Array.from({ length: REFERENCES }, (_, index) => nameOf(graph.top - index));
  const narInfo = makeNarInfo(nar, references);
  await send(url, `/${narInfo.key}`, { headers: asPusher });
  await send(url, `/${nar.key}`, { method: "HEAD", headers: asPusher });
  await put(url, nar);
  return put(url, narInfo);
}

function put(url: string, { key, body }: StoredObject): Promise<number> {
  return send(url, `/${key}`, { method: "PUT", headers: asPusher, body: Buffer.concat(body) });
}

const REFUSED = [401, 403];

export function requests(url: string, graph: Graph): Request[] {
  const get =
    (path: string, headers: Record<string, string> = {}) =>
    () =>
      send(url, path, { headers });
  const missing =
    (count: number, headers: Record<string, string> = {}) =>
    (round: number) => {
      const paths = Array.from({ length: count }, (_, index) =>
        // Half of them there, all of which stay in a collection.
        nameOf(index % 2 === 0 ? (index * 7 + round + 1) % graph.top : graph.paths + index * 3 + round),
      );
      return send(url, "/api/v1/missing", { method: "POST", headers, body: JSON.stringify({ paths }) });
    };
  const searches = ["?q=zzz", "?prefix=zzz", "?q=-77", "?prefix=package-with", "?q=usual&limit=1000"];
  return [
    {
      // Beside others it finds the alarm set.
      ...{ name: "push", operation: "push", units: REFERENCES, status: 201, isOneOfMany: true },
      send: () => push(url, graph),
    },
    {
      ...{ name: "missing, 1,000, anyone", operation: "missingForAnyone", units: 1000, status: 200 },
      send: missing(1000),
    },
    {
      ...{ name: "missing, 20,000, a pusher", operation: "missing", units: 20_000, status: 200 },
      send: missing(20_000, asPusher),
    },
    {
      ...{ name: "missing, 8 MB of [, anyone", operation: "missingForAnyone", status: [400, 413] },
      send: () => send(url, "/api/v1/missing", { method: "POST", body: BRACKETS }),
    },
    ...searches.flatMap((query): Request[] => [
      {
        ...{ name: `search ${query}, a member`, operation: "search", status: 200 },
        send: get(`/api/v1/paths${query}`, asPusher),
      },
    ]),
    {
      ...{ name: "search ?q=zzz, anyone", operation: "searchForAnyone", status: REFUSED },
      send: get("/api/v1/paths?q=zzz"),
    },
    {
      ...{ name: "detail, the largest closure", operation: "detail", status: 200 },
      send: get(`/api/v1/paths/${hashOf(graph.top)}`),
    },
    {
      ...{ name: "detail, the most referrers", operation: "detail", status: 200 },
      send: get(`/api/v1/paths/${hashOf(graph.wide)}`),
    },
    {
      ...{ name: "detail, any other", operation: "detail", status: 200 },
      send: get(`/api/v1/paths/${hashOf(graph.top + 1)}`),
    },
    {
      ...{ name: "stats, a member", operation: "stats", status: 200, isOnce: true },
      send: get("/api/v1/stats", asPusher),
    },
    { name: "stats, anyone", operation: "statsForAnyone", status: REFUSED, send: get("/api/v1/stats") },
    { name: "S3 listing, a member", operation: "list", status: 200, send: get("/?list-type=2", asPusher) },
    { name: "S3 listing, anyone", operation: "listForAnyone", status: REFUSED, send: get("/?list-type=2") },
    {
      ...{ name: "delete a path that many refer to", operation: "deletePath", status: 409 },
      send: () => send(url, `/api/v1/paths/${hashOf(graph.wide)}`, { method: "DELETE", headers: asAdmin }),
    },
    {
      ...{ name: "delete a path", operation: "deletePath", units: REFERENCES, status: 200 },
      send: (round) =>
        send(url, `/api/v1/paths/${hashOf(graph.paths - 2 - round * 3)}`, {
          ...{ method: "DELETE", headers: asAdmin },
        }),
    },
  ];
}

export function collection(url: string): Request {
  return {
    ...{ name: "collection: the request", operation: "run", status: 200, isOnce: true },
    send: () => send(url, "/api/v1/gc", { method: "POST", headers: asAdmin }),
  };
}

export function deletion(url: string, graph: Graph): Request {
  return {
    ...{ name: "delete with referrers: the request", operation: "deleteReferrers", isOnce: true },
    status: [200, 202],
    send: () =>
      send(url, `/api/v1/paths/${hashOf(graph.wide)}?closure=referrers`, {
        ...{ method: "DELETE", headers: asAdmin },
      }),
  };
}

/** Paths that a collection has removed so far. */
export async function removed(url: string): Promise<number> {
  const answer = await fetch(`${url}/api/v1/gc`, { headers: asAdmin });
  return ((await answer.json()) as { removed: { paths: number } }).removed.paths;
}

/** The first that reaches the catalog. */
export function firstRequest(url: string): Request {
  const body = JSON.stringify({ paths: [hashOf(0)] });
  return {
    ...{ name: "migration: the first request", operation: "firstRequest", status: 200, isOnce: true },
    send: () => send(url, "/api/v1/missing", { method: "POST", body }),
  };
}
