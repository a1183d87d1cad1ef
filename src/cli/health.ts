// Waits for the server's first answer on /health.
import { setTimeout } from "node:timers/promises";
import { type Address, urlOf } from "./instructions.ts";

const TIMEOUT_MS = 30_000;
const INTERVAL_MS = 100;
const MAX_SHOWN_CHARACTERS = 200;

/** The mistakes in the configuration that /health reports; see {@link healthOf}. */
export async function problemsOf(address: Address): Promise<string[]> {
  return (await healthOf(address)).problems;
}

export interface Health {
  /** Mistakes in the configuration. */
  readonly problems: string[];
  /** URLs of the upstreams. */
  readonly upstreams: string[];
}

/** What /health reports. Throws if it does not answer in 30 seconds. */
export async function healthOf(address: Address): Promise<Health> {
  // The certificate is self-signed, so `fetch` would refuse it. Check only that the server listens.
  if (address.protocol === "https") return { problems: [], upstreams: [] };
  const response = await firstAnswer(`${urlOf(address)}/health`);
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // wrangler's answer for a Worker that does not load; wrangler has shown the reason.
    return {
      problems: [`/health answered ${response.status}: ${text.slice(0, MAX_SHOWN_CHARACTERS)}`],
      upstreams: [],
    };
  }
  const { problems = [], upstreams = [] } = {
    ...(body as { problems?: unknown; upstreams?: unknown } | null),
  };
  return {
    problems: Array.isArray(problems) ? problems.map(String) : [],
    upstreams: Array.isArray(upstreams)
      ? upstreams.map((upstream: { url?: unknown } | null) => String(upstream?.url))
      : [],
  };
}

async function firstAnswer(url: string): Promise<Response> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (;;) {
    try {
      return await fetch(url, { signal });
    } catch (error) {
      // Not up yet, unless it stays like this.
      if (signal.aborted)
        throw new Error(`${url} did not answer in ${TIMEOUT_MS / 1000} seconds`, { cause: error });
    }
    await setTimeout(INTERVAL_MS);
  }
}
