// Refusals of the API: problem details (RFC 9457).
import { oneLine, toHttpError } from "./errors.ts";

/** Reason phrases of RFC 9110: the titles of problems without a type of their own (RFC 9457, section 4.2.1). */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export interface Problem {
  /** Problems have no type of their own: status and detail suffice. */
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  /** One line: what is wrong and what to do. */
  readonly detail: string;
}

/** The answer of the API for anything thrown while handling a request; see `errorResponse`. */
export function problemResponse(error: unknown): Response {
  const { status, message, headers } = toHttpError(error);
  const problem: Problem = {
    type: "about:blank",
    title: TITLES[status] ?? "Error",
    status,
    detail: oneLine(message),
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", ...headers },
  });
}
