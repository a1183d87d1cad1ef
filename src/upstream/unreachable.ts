// What the log says of a server that cannot be reached.

/** With the reason, unless that is the platform's internal error, a number that nobody here can look up. */
export function unreachable(error: unknown): string {
  const reason = error instanceof Error ? error.message : "error";
  return reason.startsWith("internal error") ? "cannot be reached" : `cannot be reached (${reason})`;
}
