// Attempts of a request, and what the last answer means.
import { setTimeout } from "node:timers/promises";
import { Failure } from "../ground/failure.ts";
import type { Answer, Request, Send } from "./transport.ts";

export interface RetryOptions {
  /** All of them, the first included. */
  readonly attempts: number;
  /** Milliseconds before the second attempt; doubled for each more. */
  readonly firstDelayMs: number;
}

export const DEFAULT_RETRIES: RetryOptions = { attempts: 5, firstDelayMs: 500 };

const MAX_DELAY_MS = 30_000;
/** Answers that may be another one in a moment. 429: the platform's limit of requests. */
const PASSING = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 530];
const NOT_MODIFIED = 304;
/** Redirections: the API has none, and readers are sent to upstreams by them. */
export const REDIRECTIONS = [301, 302, 303, 307, 308];
const MAX_LINE = 500;

/**
 * Sends until there is an answer below 300, or one of the statuses in `accepts`. Throws {@link Failure}: `network` for no
 * answer or one of the cache's own errors, `refused` for any other, a redirection included: nothing was stored.
 */
export function retrying(send: Send, { attempts, firstDelayMs }: RetryOptions) {
  return async (request: Request, accepts: readonly number[] = []): Promise<Answer> => {
    for (let attempt = 1; ; attempt++) {
      const outcome = await tried(send, request);
      if (!(outcome instanceof Failure)) {
        const { status } = outcome;
        if (status < 300 || status === NOT_MODIFIED || accepts.includes(status)) return outcome;
        if (!isPassing(outcome.status)) throw refusal(request, outcome);
      }
      if (attempt === attempts) {
        throw outcome instanceof Failure ? outcome : refusal(request, outcome);
      }
      const seconds = outcome instanceof Failure ? undefined : outcome.headers["retry-after"];
      // It may also be a date, which is not a number.
      await setTimeout(backoffMs(attempt, Number(seconds ?? 0), firstDelayMs));
    }
  };
}

export type SendRetrying = ReturnType<typeof retrying>;

async function tried(send: Send, request: Request): Promise<Answer | Failure> {
  try {
    return await send(request);
  } catch (error) {
    if (error instanceof Failure && error.kind === "network") return error;
    throw error;
  }
}

export function isPassing(status: number): boolean {
  return PASSING.includes(status);
}

/**
 * Milliseconds to wait after so many attempts: at random between half and all of the backoff, so that many clients do not
 * come at once; longer where the answer asks for more seconds.
 */
export function backoffMs(
  attempts: number,
  seconds = 0,
  firstDelayMs = DEFAULT_RETRIES.firstDelayMs,
): number {
  const own = firstDelayMs * 2 ** (attempts - 1) * (0.5 + Math.random() / 2);
  return Math.min(MAX_DELAY_MS, Math.max(Number.isFinite(seconds) ? seconds * 1000 : 0, own));
}

export function refusal({ method, path }: Request, answer: Answer): Failure {
  if (REDIRECTIONS.includes(answer.status)) {
    const to = String(answer.headers.location ?? "").replace(/[^!-~]/g, "");
    const line = `${method} ${path.replace(/\?.*/, "")}: ${answer.status}, a redirection to ${to}`;
    return new Failure("refused", `${line}: is that the cache's URL?`, answer.status);
  }
  const kind = answer.status >= 500 || isPassing(answer.status) ? "network" : "refused";
  const said = messageOf(answer);
  const what = `${method} ${path.replace(/\?.*/, "")}: ${answer.status}`;
  return new Failure(kind, said === "" ? what : `${what}: ${said}`, answer.status);
}

/** The cache's own line: of a problem (RFC 9457), an S3 error, or text. */
export function messageOf({ headers, body }: Answer): string {
  const text = body.toString("utf8");
  const type = String(headers["content-type"] ?? "");
  const detail = type.includes("json") ? detailOf(text) : undefined;
  const [, message] = /<Message>([^<]*)<\/Message>/.exec(text) ?? [];
  const line = detail ?? message ?? (type.includes("html") ? "" : text);
  return printable(line);
}

/** A text of the cache as a line for the terminal. */
export function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, MAX_LINE);
}

function detailOf(text: string): string | undefined {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === "string" ? detail : undefined;
  } catch {
    // Not a problem document.
    return undefined;
  }
}
