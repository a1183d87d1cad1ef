// GET /cache: what the caller may know of the cache, so that a client needs only its URL.
import { may } from "../auth/grants.ts";
import { KINDS } from "../bucket/kinds.ts";
import type { Config } from "../config/config.ts";
import type { Context } from "../context.ts";
import {
  CACHE_DESCRIPTION,
  type CacheDescription,
  PREFERRED_COMPRESSION,
  VERSION,
} from "../contract/cache.ts";
import { MAX_PATHS, MAX_PATHS_OF_ANONYMOUS } from "../contract/paths.ts";
import { hiddenUpstreams } from "./hidden-upstreams.ts";
import { operation } from "./operation.ts";

export const CACHE_OPERATIONS = [
  operation({
    id: "describeCache",
    method: "GET",
    path: "/cache",
    permission: "pull",
    summary: "What a client needs to know of this cache.",
    answer: CACHE_DESCRIPTION,
    handle: describeCache,
  }),
];

/** It asks neither the bucket nor the catalog. */
export async function describeCache(context: Context): Promise<CacheDescription> {
  const { config } = context;
  const { signing, trusted } = await config.keys();
  const signingKeys = signing.map(({ publicText }) => publicText);
  const trustedKeys = trusted.map(({ text }) => text);
  return {
    name: config.cacheName,
    url: urlOf(context),
    store_dir: config.storeDir,
    priority: config.priority,
    public_keys: signing.length > 0 ? signingKeys : trustedKeys,
    signs: signing.length > 0,
    trusted_public_keys: trustedKeys,
    visibility: config.isPrivate ? "private" : "public",
    listing: config.listing,
    compression: PREFERRED_COMPRESSION,
    verification: config.verify,
    upstreams: await readableUpstreams(context),
    oidc: issuersOf(config),
    limits: {
      nar_size: maxBytesOf("nar"),
      narinfo_size: maxBytesOf("narinfo"),
      listing_size: maxBytesOf("listing"),
      log_size: maxBytesOf("log"),
      missing_paths: MAX_PATHS,
      missing_paths_of_anonymous: MAX_PATHS_OF_ANONYMOUS,
    },
    version: VERSION,
  };
}

/** The default cache has two addresses: its name is none that a client needs. */
function urlOf({ request, config }: Context): string {
  const { origin } = new URL(request.url);
  return config.cacheName === config.defaultName ? origin : `${origin}/${config.cacheName}`;
}

/** Without the private ones that the caller may not read: their names are secret. */
async function readableUpstreams(context: Context): Promise<CacheDescription["upstreams"]> {
  const hidden = await hiddenUpstreams(context);
  const readable = context.config.upstreams.filter(({ url }) => !hidden.has(url));
  const described = readable.map(async ({ url, serve, keys }) => {
    const known = await keys();
    return { url, serve, public_keys: known === "none-needed" ? [] : known.map(({ text }) => text) };
  });
  return Promise.all(described);
}

/** Those of which some rule gives a permission on this cache. The claims of the rules are not shown. */
function issuersOf({ oidc, cacheName }: Config): CacheDescription["oidc"] {
  const audiencesOf = new Map<string, Set<string>>();
  for (const { issuer, audiences, grant } of oidc) {
    if (!may({ grants: [grant] }, "pull", cacheName)) continue;
    const known = audiencesOf.get(issuer) ?? new Set();
    for (const audience of audiences) known.add(audience);
    audiencesOf.set(issuer, known);
  }
  return [...audiencesOf].map(([issuer, audiences]) => ({ issuer, audiences: [...audiences] }));
}

/** Throws for a kind that is not in the table: a mistake in this program. */
function maxBytesOf(name: string): number {
  const kind = KINDS.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`there are no objects of kind ${name}`);
  return kind.maxBytes;
}
