// Whether the cache answers, agrees about the time, and takes the token.
import type { CacheDescription } from "../../contract/cache.ts";
import type { WhoAmI } from "../../contract/tokens.ts";
import { Failure } from "../ground/failure.ts";
import { type Cache, describe } from "../http/api.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** Seconds. The clock of an identity or S3 request may differ by minutes; a TLS certificate is often a day old. */
const MAX_CLOCK_DIFFERENCE_S = 60;
const UNAUTHORIZED = 401;
const NOT_FOUND = 404;

/** The description is absent where the cache gave none; then nothing else can be compared. */
export async function checkCache(
  cache: Cache,
  now = Date.now(),
): Promise<{ readonly findings: Finding[]; readonly description: CacheDescription | undefined }> {
  const answers = findingsOf("cache");
  const { url, token, tokenFrom } = cache.settings;
  try {
    const { headers } = await cache.send({ method: "GET", path: "/health" }, [503]);
    const clock = checkClock(String(headers.date ?? ""), now);
    const description = await describe(cache);
    const about = `${url} answers: ${description.visibility}, store ${description.store_dir}, version ${description.version}`;
    return { findings: [answers.ok(about), ...clock, await checkToken(cache)], description };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return {
      findings: [refusal(error, token === undefined ? undefined : tokenFrom, url)],
      description: undefined,
    };
  }
}

function refusal(error: Failure, tokenFrom: string | undefined, url: string): Finding {
  const { fault } = findingsOf(error.status === UNAUTHORIZED ? "token" : "cache");
  if (error.status === UNAUTHORIZED) {
    return tokenFrom === undefined
      ? fault("reading this cache needs a token", "put one into netrc, or set NIX_CACHE_TOKEN_FILE")
      : fault(
          `the cache does not take the token of ${tokenFrom}`,
          "it has ended or is another cache's: get a new one",
        );
  }
  if (error.status === NOT_FOUND) {
    return fault(`there is no cache at ${url}`, "check the address");
  }
  return fault(error.message, "check the URL, this machine's network, and the cache's Worker");
}

function checkClock(date: string, now: number): Finding[] {
  const { ok, fault } = findingsOf("clock");
  const theirs = Date.parse(date);
  if (Number.isNaN(theirs)) return [];
  const seconds = Math.round((now - theirs) / 1000);
  if (Math.abs(seconds) <= MAX_CLOCK_DIFFERENCE_S)
    return [ok("this machine's clock agrees with the cache's")];
  const how = `${Math.abs(seconds)} seconds ${seconds > 0 ? "ahead of" : "behind"}`;
  return [
    fault(
      `this machine's clock is ${how} the cache's`,
      "set it (timedatectl set-ntp true): tokens and certificates seem to have ended or not to have begun",
    ),
  ];
}

async function checkToken(cache: Cache): Promise<Finding> {
  const { ok, fault, skipped } = findingsOf("token");
  const { token, tokenFrom } = cache.settings;
  if (token === undefined) return skipped("no token was found: reading only");
  try {
    const who = await cache.call<WhoAmI>("GET", "/whoami");
    const may = who.grants.map(
      ({ permissions, caches }) => `${permissions.join(", ")} in ${caches.join(", ")}`,
    );
    return ok(`${tokenFrom}: ${who.name}, ${may.join("; ")}${who.expires ? `, ends ${who.expires}` : ""}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return fault(
      error.status === UNAUTHORIZED ? error.message : `${tokenFrom}: ${error.message}`,
      "it has ended, is revoked, or is another cache's: get a new one",
    );
  }
}
