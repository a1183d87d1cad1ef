// GET /health: what an operator must know, for monitors. Everybody may ask, so a catalog is asked at most twice a minute
// by each isolate, whatever comes.
import { may } from "../auth/grants.ts";
import { allProblems, type Config } from "../config/config.ts";
import type { Context, Handler } from "../context.ts";
import { VERSION } from "../contract/cache.ts";
import { NEWER_SCHEMA } from "../contract/result.ts";
import { HttpError } from "../http/errors.ts";

/** Milliseconds for which the catalog's answer is kept, or awaited by nobody else. */
const AGE_MS = 30_000;
/** Milliseconds after which a catalog counts as silent. */
const TIMEOUT_MS = 5000;

type Status = "ok" | "warning" | "misconfigured" | "unavailable";

interface Known {
  readonly at: number;
  readonly notices: readonly string[];
}

/** By cache. */
const KNOWN = new WeakMap<Config, Known>();

/**
 * Answers with 200, or 503 when the bucket does not answer; with `?strict=1` 503 for every status but `ok`. One bucket
 * operation; never cached by others.
 */
export const getHealth: Handler = async (context) => {
  const { request, bucket, config, query } = context;
  const problems = await allProblems(config);
  const notices = [...writeNotices(config), ...(await catalogNotices(context))];
  let isAvailable = true;
  try {
    await bucket.head("nix-cache-info");
  } catch (error) {
    console.error("bucket head failed", error);
    isAvailable = false;
  }
  const status = statusOf(isAvailable, problems, notices);
  const isStrict = new URLSearchParams(query).get("strict") === "1";
  const body = new TextEncoder().encode(
    JSON.stringify({
      status,
      version: VERSION,
      cache: config.cacheName,
      bucket: isAvailable ? "ok" : "unavailable",
      problems,
      notices,
      upstreams: shownUpstreams(config),
    }),
  );
  const headers = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Accept-Ranges": "none",
    "Content-Length": `${body.byteLength}`,
  };
  return new Response(request.method === "HEAD" ? null : body, {
    status: isAvailable && (status === "ok" || !isStrict) ? 200 : 503,
    headers,
  });
};

/** The configuration; none is asked. The names of private caches are secret. */
function shownUpstreams({ upstreams }: Config): { url: string; serve: string }[] {
  return upstreams.filter(({ own }) => !own?.isPrivate).map(({ url, serve }) => ({ url, serve }));
}

function statusOf(isAvailable: boolean, problems: readonly string[], notices: readonly string[]): Status {
  if (!isAvailable) return "unavailable";
  if (problems.length > 0) return "misconfigured";
  return notices.length > 0 ? "warning" : "ok";
}

/** Mistakes switch writing off as well; they are `problems`. */
function writeNotices(config: Config): string[] {
  const { adminToken, pushToken, mintsTokens, oidc, cacheName, defaultName } = config;
  const isPossible =
    adminToken !== undefined ||
    mintsTokens ||
    (pushToken !== undefined && cacheName === defaultName) ||
    oidc.some(({ grant }) => may({ grants: [grant] }, "push", cacheName));
  return isPossible
    ? []
    : [
        "writes: refused, because no credential that may push is configured: PUSH_TOKEN (default cache), ADMIN_TOKEN, TOKEN_SECRET or OIDC",
      ];
}

/** Asks the catalog unless it was asked within {@link AGE_MS}. Requests that come meanwhile get what was known before. */
async function catalogNotices({ config, catalog }: Context): Promise<readonly string[]> {
  const known = KNOWN.get(config);
  const now = Date.now();
  if (known !== undefined && now >= known.at && now < known.at + AGE_MS) return known.notices;
  KNOWN.set(config, { at: now, notices: known?.notices ?? [] });
  const answered = new AbortController();
  let notices: readonly string[];
  try {
    notices = await Promise.race([catalog((c) => c.notices()), timeout(answered.signal)]);
  } catch (error) {
    console.error("the catalog did not answer a health check", error);
    const isNewer = error instanceof HttpError && error.message.startsWith(NEWER_SCHEMA);
    notices = [`catalog: ${isNewer ? error.message : "it does not answer"}; reads go on, writes are refused`];
  } finally {
    answered.abort();
  }
  KNOWN.set(config, { at: now, notices });
  return notices;
}

async function timeout(signal: AbortSignal): Promise<never> {
  await scheduler.wait(TIMEOUT_MS, { signal });
  throw new Error(`no answer within ${TIMEOUT_MS} ms`);
}
