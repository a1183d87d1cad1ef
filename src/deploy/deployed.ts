// What a deployed cache tells of itself, beside what it will be after a deployment.
import { type Config, cacheNamed, type Deployment } from "../config/config.ts";
import { VERSION } from "../contract/cache.ts";
import { isTable, type Table } from "./table.ts";

const TIMEOUT_MS = 10_000;

export interface Deployed {
  /** Of /health; `problems` and `notices` are lines. */
  readonly health: Table;
  /** Of /api/v1/cache; `undefined` where it needs a credential. */
  readonly description: Table | undefined;
}

/** The URL of the first custom domain; `undefined` where there is none. */
export function urlOf({ routes }: Table): string | undefined {
  const domain = (Array.isArray(routes) ? routes : []).find(
    (route: unknown) => isTable(route) && route.custom_domain === true && typeof route.pattern === "string",
  );
  return domain === undefined ? undefined : `https://${domain.pattern}`;
}

/** Asks the cache at `url`, whose private caches want a `token`. Throws an Error with one line where there is none. */
export async function askDeployed(url: string, token: string | undefined): Promise<Deployed> {
  const health = await ask(`${url}/health`, token);
  if (health === undefined) throw new Error(`${url}/health needs a credential; set NIX_CACHE_TOKEN`);
  return { health, description: await ask(`${url}/api/v1/cache`, token) };
}

/** `undefined` for a refusal of the credential. */
async function ask(url: string, token: string | undefined): Promise<Table | undefined> {
  let response: Response;
  try {
    const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
    response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Error(`${url} does not answer: ${reasonOf(error)}`);
  }
  if (response.status === 401 || response.status === 403) return undefined;
  const body: unknown = await response.json().catch(() => undefined);
  // /health answers 503 where something is wrong.
  if (isTable(body) && (response.ok || response.status === 503)) return body;
  throw new Error(`${url} answered ${response.status}, and not as this cache does`);
}

function reasonOf(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : { message: String(error), cause: undefined };
  return cause instanceof Error ? cause.message : message;
}

/** Of a description, what the configuration decides; in the same words as /api/v1/cache. */
export function willBe(config: Config, description: Table): Table {
  return {
    version: VERSION,
    name: config.cacheName,
    store_dir: config.storeDir,
    priority: config.priority,
    // PULL_TOKEN makes it private, too, and is not known here.
    visibility: config.isPrivate ? "private" : description.visibility,
    listing: config.listing,
    verification: config.verify,
    upstreams: config.upstreams.map(({ url, serve }) => `${url} (${serve})`),
  };
}

/** The same of a deployed cache. */
export function isNow(description: Table): Table {
  const { version, name, store_dir, priority, visibility, listing, verification, upstreams } = description;
  const urls = (Array.isArray(upstreams) ? upstreams : []).map((each) => `${each?.url} (${each?.serve})`);
  return { version, name, store_dir, priority, visibility, listing, verification, upstreams: urls };
}

/** The cache whose description this is. */
export function sameCache(deployment: Deployment, { name }: Table): Config {
  return (typeof name === "string" ? cacheNamed(deployment, name) : undefined) ?? deployment;
}
