// What a handler gets, and what a route is.
import type { RoutePermission } from "./auth/gate/authorize.ts";
import type { Identified } from "./auth/gate/identified.ts";
import type { Identity } from "./auth/grants.ts";
import type { AskCatalog } from "./catalog-client.ts";
import type { Config } from "./config/config.ts";
import type { Route as RouteOf } from "./http/router.ts";

/** What a handler gets. */
export interface Context {
  readonly request: Request;
  readonly bucket: R2Bucket;
  readonly config: Config;
  /** The catalog of this cache; reading never asks for it. */
  readonly catalog: AskCatalog;
  /** The default cache's catalog, which keeps the tokens of all caches. */
  readonly tokens: AskCatalog;
  /** Anonymous where the route needs no permission: then nobody has asked. */
  readonly identity: Identity;
  /** Whose credential the request carries, where the route needs none. */
  readonly identify: () => Promise<Identified>;
  /** Whether that is somebody who may push to this cache. Never rejects: who cannot be told is not one. */
  readonly isPusher: () => Promise<boolean>;
  /** Goes on with something after the response; what it throws is logged. */
  readonly afterwards: (work: Promise<unknown>) => void;
  /** Drops paths from the cache in front of the Worker, after the response. */
  readonly purge: (paths: readonly string[]) => void;
  /** The path that matched, without its leading slash. */
  readonly path: string;
  /** As it was sent, without its `?`. */
  readonly query: string;
}

export type Handler = (context: Context) => Promise<Response>;

export interface Route extends RouteOf<RoutePermission, Handler> {
  /** The SHA-256 (lower-case hex) that the bucket itself holds the body of a request for this path against. */
  readonly bodySha256?: (path: string) => string | undefined;
}
