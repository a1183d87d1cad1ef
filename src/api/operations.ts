// All operations of the native API, /api/v1. They are its routes.
import * as v from "valibot";
import { described } from "../contract/schema.ts";
import { CACHE_OPERATIONS } from "./cache.ts";
import { MISSING_OPERATIONS } from "./missing.ts";
import { openApi } from "./openapi.ts";
import { type Operation, operation } from "./operation.ts";
import { PATH_OPERATIONS } from "./paths.ts";
import { PIN_OPERATIONS } from "./pins.ts";
import { RUN_OPERATIONS } from "./runs.ts";
import { STATS_OPERATIONS } from "./stats.ts";
import { SUBJECT_OPERATIONS } from "./subjects.ts";
import { TOKEN_OPERATIONS } from "./tokens.ts";

export const OPERATIONS: readonly Operation[] = [
  ...CACHE_OPERATIONS,
  ...MISSING_OPERATIONS,
  ...PATH_OPERATIONS,
  ...STATS_OPERATIONS,
  ...RUN_OPERATIONS,
  ...TOKEN_OPERATIONS,
  ...SUBJECT_OPERATIONS,
  ...PIN_OPERATIONS,
  operation({
    id: "openapi",
    method: "GET",
    path: "/openapi.json",
    permission: "none",
    summary: "This document.",
    answer: described(
      "An OpenAPI 3.1 document.",
      v.custom<object>(() => true),
    ),
    errors: { 401: "Of a private named cache: no credential, or a wrong one." },
    handle: async ({ config: { cacheName, defaultName } }) =>
      openApi(OPERATIONS, cacheName === defaultName ? "/" : `/${cacheName}`),
  }),
];

/** Whether a path belongs to the API, whose errors are JSON, too. */
export function isApi(path: string): boolean {
  return path === "/api" || path.startsWith("/api/");
}
