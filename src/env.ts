// The Worker's bindings and variables: types only.
import type { CatalogApi } from "./contract/catalog.ts";

/** The Worker's bindings and variables, as wrangler delivers them. A TOML table or list arrives as a value. */
export interface Env {
  BUCKET: R2Bucket;
  CATALOG: DurableObjectNamespace<CatalogApi>;
  ADMIN_TOKEN?: string;
  PUSH_TOKEN?: string;
  PULL_TOKEN?: string;
  TOKEN_SECRET?: string;
  SIGNING_KEY?: string;
  TRUSTED_PUBLIC_KEYS?: string | string[];
  PRIORITY?: string | number;
  LISTING?: string;
  STORE_DIR?: string;
  CACHE_NAME?: string;
  CACHES?: string | Record<string, unknown>;
  UPSTREAMS?: string | readonly unknown[];
  OIDC?: string | readonly unknown[];
  GC_GRACE_SECONDS?: string | number;
  /** Where it is bound, each request is counted in it. */
  TRAFFIC?: AnalyticsEngineDataset;
}
