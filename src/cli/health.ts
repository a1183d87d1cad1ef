// Waits for the server's first answer on /health.
import { setTimeout } from "node:timers/promises";
import { type Address, urlOf } from "./instructions.ts";

const TIMEOUT_MS = 30_000;
const INTERVAL_MS = 100;
const MAX_SHOWN_CHARACTERS = 200;

/** The mistakes in the configuration. Throws if the server does not answer in 30 seconds. */
export async function problemsOf(address: Address): Promise<string[]> {
  // The certificate is self-signed, so `fetch` would refuse it. Check only that the server listens.
  if (address.protocol === "https") return [];
  const response = await firstAnswer(`${urlOf(address)}/health`);
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // wrangler's answer for a Worker that does not load; wrangler has shown the reason.
    return [`/health answered ${response.status}: ${text.slice(0, MAX_SHOWN_CHARACTERS)}`];
  }
  const { problems = [] } = { ...(body as { problems?: unknown } | null) };
  return Array.isArray(problems) ? problems.map(String) : [];
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
