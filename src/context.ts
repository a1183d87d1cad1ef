// The context of a handler, and the route that it serves.
import type { RoutePermission } from "./auth/gate/authorize.ts";
import type { Identified } from "./auth/gate/identified.ts";
import type { Identity } from "./auth/grants.ts";
import type { AskCatalog } from "./catalog-client.ts";
import type { Config } from "./config/config.ts";
import type { Route as RouteOf } from "./http/router.ts";
import type { RecentNars } from "./recent-nars.ts";
import type { Daily } from "./upstream/daily.ts";
import type { Upstreams } from "./upstream/upstreams.ts";

export interface Context {
  readonly request: Request;
  readonly bucket: R2Bucket;
  readonly config: Config;
  /** Calls the catalog of this cache. */
  readonly catalog: AskCatalog;
  /** Calls the default cache's catalog, which keeps the tokens of all caches. */
  readonly tokens: AskCatalog;
  /** Anonymous if the route needs no permission: its credential has not been checked. */
  readonly identity: Identity;
  /** Checks the credential if the route needs no permission. Throws HttpError 503 if that is impossible now. */
  readonly identify: () => Promise<Identified>;
  /** Whether the request is by a pusher of this cache. Never rejects: false if that cannot be checked now. */
  readonly isPusher: () => Promise<boolean>;
  /** Whether the sender may read another cache of this Worker. Never rejects. */
  readonly mayRead: (cacheName: string) => Promise<boolean>;
  /** The caches that are asked for paths that are not here. */
  readonly upstreams: Upstreams;
  /** What this isolate does once a day. */
  readonly daily: Daily;
  /** The small NARs that this isolate has just put into the bucket. */
  readonly recentNars: RecentNars;
  /** Keeps the isolate alive for work after the response; a failure is logged. */
  readonly afterwards: (work: Promise<unknown>) => void;
  /** Drops paths (`/<hash>.narinfo`) from the edge's cache, after the response. */
  readonly purge: (paths: readonly string[]) => void;
  /** The path that matched, without its leading slash. */
  readonly path: string;
  /** As it was sent, without its `?`. */
  readonly query: string;
}

export type Handler = (context: Context) => Promise<Response>;

export interface Route extends RouteOf<RoutePermission, Handler> {
  /** The SHA-256 (lower-case hex) that the handler has the bucket check the body of a request for this path against. */
  readonly bodySha256?: (path: string, request: Request) => string | undefined;
}
