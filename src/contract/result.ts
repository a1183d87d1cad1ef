// The result of a call of the Durable Object: an error would lose its class on the way, so a refusal is a value.
import type { Refusal } from "./refusals.ts";

/** How the error of a catalog begins that a newer Worker has migrated: the object does not start. */
export const NEWER_SCHEMA = "the catalog has schema";

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };
