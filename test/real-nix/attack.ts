// The type of an attack, and its requests.
import { head } from "./raw.ts";

export interface Attack {
  readonly name: string;
  readonly bytes: string | readonly (string | Uint8Array)[];
  /** Allowed statuses; absent: a 4xx. 0 is a connection that is closed without a response. */
  readonly answer?: readonly number[];
}

/** Does not reach the Worker: the runtime refuses it, or the dev server in front, which answers with 500. */
export const BEFORE_THE_WORKER: readonly number[] = [0, 400, 500, 501];

export const MIB = 1024 * 1024;
export const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
export const NAR = "nar/11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb.nar";
export const PUSH = { Authorization: "Bearer push" };
export const ADMIN = { Authorization: "Bearer admin" };

export const put = (path: string, body: string | Uint8Array, headers: Parameters<typeof head>[1] = {}) => [
  head(`PUT ${path}`, { ...PUSH, "Content-Length": body.length, ...headers }),
  body,
];
export const post = (path: string, body: string, headers: Parameters<typeof head>[1] = ADMIN) => [
  head(`POST ${path}`, { "Content-Length": body.length, "Content-Type": "application/json", ...headers }),
  body,
];
