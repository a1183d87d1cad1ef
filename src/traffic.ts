// Counts requests in Analytics Engine, where the binding TRAFFIC exists. docs/operating/monitoring.md has the columns and
// queries: an order that is released here is never changed.
import { isApi } from "./api/operations.ts";
import { KINDS } from "./bucket/kinds.ts";
import type { Located } from "./config/locate.ts";
import { isPage } from "./page/accepts.ts";

const METHODS: readonly string[] = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"];

/** What a request is counted as. */
export interface Counted {
  readonly request: Request;
  readonly response: Response;
  /** `undefined` where the path could not be read. */
  readonly located: Located | undefined;
}

/** Writes one data point; `isPusher`: the sender may push to the cache. */
export function countRequest(
  traffic: AnalyticsEngineDataset,
  { request, response, located }: Counted,
  isPusher: boolean,
): void {
  // Names that are not declared are the sender's.
  const cache = located?.config.isDeclared ? located.config.cacheName : "";
  traffic.writeDataPoint({
    indexes: [cache],
    blobs: [kindOf(located?.path.path ?? "/?"), cache, methodOf(request), isPusher ? "pusher" : "reader"],
    doubles: [response.status, sentBytes(request, response), lengthIn(request.headers)],
  });
}

function methodOf({ method }: Request): string {
  return METHODS.includes(method) ? method : "other";
}

/** The kind of object, or what else a path is. Names of paths are never counted. */
function kindOf(path: string): string {
  const name = path.slice(1);
  const kind = KINDS.find(({ pattern }) => pattern.test(name));
  if (kind !== undefined) return kind.name;
  if (isApi(path)) return "api";
  if (isPage(path)) return "page";
  return ["", "nix-cache-info", "health", "metrics"].includes(name) ? name || "front" : "other";
}

/** As announced; 0 where the length is not known before the end, as of a body that is decoded for its client. */
function sentBytes({ method }: Request, { body, headers }: Response): number {
  return method === "HEAD" || body === null ? 0 : lengthIn(headers);
}

function lengthIn(headers: Headers): number {
  const length = headers.get("Content-Length") ?? "";
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : 0;
}
