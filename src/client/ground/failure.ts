// The one error type of the client: a line for the user, and the exit code.
import { EXIT } from "./exit.ts";

export type FailureKind = "failed" | "usage" | "network" | "refused" | "partly";

/** The message is one line: what is wrong and what to do. */
export class Failure extends Error {
  readonly kind: FailureKind;
  /** The status of the cache's answer, where it gave one. */
  readonly status: number | undefined;

  constructor(kind: FailureKind, message: string, status?: number) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** The exit code for anything thrown. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Failure ? EXIT[error.kind] : EXIT.failed;
}

/** The line to show for anything thrown. Errors of Node carry the path and the reason in their message. */
export function lineOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether this is Node's error of this code, such as ENOENT. */
export function isSystemError(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
