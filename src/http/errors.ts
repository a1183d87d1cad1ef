// Refusals: the error type with a status, and how an error becomes a response.

/** Nix shows the body of a refusal to its user only if it is shorter than 1024 bytes. */
const MAX_MESSAGE_BYTES = 1000;

/** A refusal for the client. The message is one line: what is wrong and what to do. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** A body that may be sound and that this server does not take: it is too large, or in a form that it cannot check. */
export class LimitError extends HttpError {}

/** A line of text for a person: the outcome of a PUT, or a refusal. Never cached. */
export function textLine(
  status: number,
  line: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${oneLine(line)}\n`, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", ...headers },
  });
}

/** The answer for anything thrown while handling a request; see {@link toHttpError}. */
export function errorResponse(error: unknown): Response {
  const { status, message, headers } = toHttpError(error);
  return textLine(status, message, headers);
}

/**
 * The refusal for anything thrown. Errors other than {@link HttpError} are defects or outages: they are logged, and
 * the client gets neither a stack trace nor an internal message.
 */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  console.error("unexpected error", error);
  return new HttpError(500, "internal error of the cache; the operator finds the cause in the Worker's log");
}

/** Awaits work whose failure must not fail the request: a failure is logged. */
export async function logFailure(message: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    console.warn(message, error);
  }
}

/** What would break the line or affect the reader's terminal: control characters, and those that turn its direction. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]+/gu;

/** A text as one line that is short enough for Nix, with letters of any script. */
export function oneLine(message: string): string {
  const line = message.replace(UNPRINTABLE, " ").trim();
  const { read } = new TextEncoder().encodeInto(line, new Uint8Array(MAX_MESSAGE_BYTES));
  return read < line.length ? `${line.slice(0, read)}...` : line;
}
