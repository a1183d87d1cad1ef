// What both halves of the action share: the cache's URL, and that nothing fails a job unless it is asked to.
import process from "node:process";
import { Failure, lineOf } from "../client/ground/failure.ts";
import type { Env } from "../client/settings/locations.ts";
import { parseUrl } from "../client/settings/settings.ts";
import { annotate, input } from "./github.ts";

const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

/** Throws {@link Failure} of usage: no token goes over an open connection. */
export function urlOf(env: Env): string {
  const url = parseUrl(input("url", env));
  const { protocol, hostname } = new URL(url);
  if (protocol !== "https:" && !LOCAL.includes(hostname)) {
    throw new Failure("usage", `the url must begin with https://, not as in ${url}`);
  }
  return url;
}

/** Wrong inputs fail the job; what the cache does fails it only with the input `fail`. */
export async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isWrong = error instanceof Failure && error.kind === "usage";
    const fails = isWrong || input("fail", process.env) === "true";
    annotate(fails ? "error" : "warning", lineOf(error));
    if (fails) process.exitCode = 1;
  }
}
