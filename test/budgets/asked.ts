/** A request whose cost is counted, and what such requests are made of. */
import { type Graph, nameOf } from "../../bench/catalog-graph.ts";
import { ADMIN_TOKEN, type Answer, type HeaderList, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { type TestPath, testPath } from "../support/store-paths.ts";
import type { Operation } from "./budgets.ts";

export interface Asked {
  readonly operation: Operation;
  /** Where there are several of one operation. */
  readonly what?: string;
  readonly status: number | readonly number[];
  /** What {@link Budget.each} counts. */
  readonly units?: number;
  /** Its cost is not counted. */
  readonly prepare?: (on: TestCache, graph: Graph) => Promise<unknown>;
  readonly request: Send;
}

export type Send = (on: TestCache, graph: Graph) => Promise<Pick<Answer, "status">>;

export const asPusher = { Authorization: `Bearer ${PUSH_TOKEN}` };
export const asAdmin = { Authorization: `Bearer ${ADMIN_TOKEN}` };

/** References of each path that is pushed. */
export const REFERENCES = 5;

/** A request for something below /api/v1, with a body in JSON. */
export function api(
  method: string,
  path: string | ((graph: Graph) => string),
  headers: HeaderList = {},
  body?: unknown,
): (on: TestCache, graph: Graph) => Promise<Answer> {
  return (on, graph) =>
    on.fetch(`/api/v1${typeof path === "string" ? path : path(graph)}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
}

/** A path with references to the first of the catalog, or to some that are nowhere. */
export function newPath(name: string, areThere = true): Promise<TestPath> {
  const references = Array.from({ length: REFERENCES }, (_, index) =>
    areThere ? nameOf(index) : `${String(index).padStart(32, "0")}-absent`,
  );
  return testPath(name, undefined, { references, deriver: `${"0".repeat(32)}-${name}.drv` });
}

/** The four requests of Nix; the answer to the last. */
export async function pushAsNix(on: TestCache, path: TestPath): Promise<Answer> {
  await on.get(`/${path.key}`, asPusher);
  await on.head(`/${path.narKey}`, asPusher);
  await on.put(`/${path.narKey}`, path.nar);
  return on.put(`/${path.key}`, path.text);
}
