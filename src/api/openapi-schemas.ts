// The shapes of what the API takes and gives, for its OpenAPI description.

import { PERMISSIONS } from "../auth/grants.ts";
import { MAX_EXCHANGE_S } from "../auth/tokens/exchange.ts";
import { MAX_EXPIRES_IN, MIN_EXPIRES_IN } from "../auth/tokens/mint-request.ts";
import { FINDING_KINDS } from "../contract/findings.ts";
import { MAX_REFERRERS } from "../contract/paths.ts";
import { PHASES, type RunKind } from "../contract/runs.ts";
import { GROWTH_DAYS, LARGEST } from "../contract/stats.ts";
import { COMPRESSIONS } from "../nix/narinfo.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { MAX_PATHS } from "./missing.ts";
import { MAX_KEEP_DAYS, MAX_KEEP_REVISIONS } from "./pins.ts";

type JsonType = "string" | "integer" | "number" | "boolean" | "object" | "array" | "null";

/** The part of JSON Schema 2020-12 that is used here. */
export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: "date-time" | "date";
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: string | number | boolean;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

export const HASH_PART: Schema = {
  type: "string",
  pattern: `^${NIX32_CLASS}{32}$`,
  description: "The hash part of a store path.",
};
const STRING: Schema = { type: "string" };
const COUNT: Schema = { type: "integer", minimum: 0 };
const BYTES: Schema = { type: "integer", minimum: 0, description: "Bytes." };
const BOOLEAN: Schema = { type: "boolean" };
const TIME: Schema = { type: "string", format: "date-time" };
const BASE_NAME: Schema = {
  type: "string",
  pattern: `^${NIX32_CLASS}{32}-[0-9a-zA-Z+._?=-]+$`,
  description: "A store path without the directory of the store.",
};
const NAR_HASH: Schema = { type: "string", pattern: `^sha256:${NIX32_CLASS}{52}$` };

function described(description: string, schema: Schema): Schema {
  return { ...schema, description };
}

function orNull(description: string, { type = "string", ...schema }: Schema): Schema {
  return { ...schema, type: [type, "null"].flat() as JsonType[], description };
}

function list(items: Schema, more: Schema = {}): Schema {
  return { type: "array", items, ...more };
}

/** An object; all properties are there unless they are among `optional`. */
function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required };
}

const SUMMARY = {
  hash: HASH_PART,
  name: STRING,
  storePath: STRING,
  compression: { type: "string", enum: COMPRESSIONS },
  narSize: BYTES,
  fileSize: orNull("Bytes of the compressed NAR; null where the narinfo does not say.", BYTES),
  signers: list(STRING, { description: "Names of the keys that have signed the path." }),
  firstPush: TIME,
  lastPush: TIME,
  pushedBy: described("Whose token the last push had.", STRING),
  incomplete: described(
    "References were missing when it was last pushed or reindexed; only an open cache takes such a path.",
    BOOLEAN,
  ),
} satisfies Record<string, Schema>;

const AMOUNT = {
  paths: COUNT,
  narSize: BYTES,
  fileSize: described("Bytes, compressed; a NAR that several paths share counts for each.", BYTES),
} satisfies Record<string, Schema>;

const PATHS_AND_BYTES = { paths: COUNT, bytes: BYTES } satisfies Record<string, Schema>;

const FINDINGS = object({
  count: COUNT,
  repaired: described("How many of them have been repaired.", COUNT),
  first: list(object({ name: STRING, detail: STRING, repaired: BOOLEAN }), {
    description: "The first of them by name.",
  }),
});

function run(kind: RunKind) {
  return {
    kind: { type: "string", const: kind },
    done: BOOLEAN,
    started: TIME,
    finished: described("Absent while it goes on.", TIME),
    phase: described("What it does now, or did last.", { type: "string", enum: PHASES[kind] }),
    steps: COUNT,
    problem: described("Why the last step stopped short; it is tried again by itself.", STRING),
  } satisfies Record<string, Schema>;
}

const WALKED = {
  narinfos: described("Met in the bucket so far.", COUNT),
  nars: described("Met in the bucket so far.", COUNT),
} satisfies Record<string, Schema>;

const GRANTS = list(
  object({
    permissions: list({ type: "string", enum: PERMISSIONS }, { minItems: 1 }),
    caches: list(STRING, { minItems: 1, description: "Names, or patterns with `*`." }),
  }),
);

const TOKEN = {
  id: described("By which it can be revoked.", STRING),
  name: described('What "pushed by" will say, after `token:`.', STRING),
  grants: GRANTS,
} satisfies Record<string, Schema>;

const EXPIRES_IN: Schema = { type: "integer", minimum: MIN_EXPIRES_IN, description: "Seconds." };

export const SCHEMAS = {
  WhoAmI: object(
    {
      name: STRING,
      credential: { type: "string", enum: ["none", "static", "minted", "oidc"] },
      grants: GRANTS,
      expires: described("Absent where the credential does not end.", TIME),
      id: described("Of a minted token.", STRING),
    },
    ["expires", "id"],
  ),
  TokenRequest: {
    ...object({
      name: STRING,
      permissions: list({ type: "string", enum: PERMISSIONS }, { minItems: 1 }),
      caches: list(STRING, { minItems: 1, description: 'Names, or patterns such as "team-*".' }),
      expires_in: { ...EXPIRES_IN, maximum: MAX_EXPIRES_IN },
    }),
    additionalProperties: false,
  },
  ExchangeRequest: {
    ...object({ expires_in: { ...EXPIRES_IN, maximum: MAX_EXCHANGE_S } }, ["expires_in"]),
    additionalProperties: false,
  },
  MintedToken: object({ ...TOKEN, token: described("The secret itself.", STRING), expires: TIME }),
  Token: object(
    {
      ...TOKEN,
      mintedBy: STRING,
      created: TIME,
      expires: TIME,
      revoked: described("When; absent where it is not.", TIME),
    },
    ["revoked"],
  ),
  Tokens: object({ tokens: list({ $ref: "#/components/schemas/Token" }) }),
  MissingRequest: {
    ...object({
      paths: list(STRING, {
        maxItems: MAX_PATHS,
        description: "Store paths, their base names, or their hash parts.",
      }),
    }),
    additionalProperties: false,
  },
  Missing: object({
    missing: list(STRING, { description: "Those of the paths that are not here, as they were sent." }),
  }),
  PathSummary: object(SUMMARY),
  PathPage: object(
    {
      paths: list({ $ref: "#/components/schemas/PathSummary" }),
      next: described("The cursor of the next page; absent on the last.", STRING),
    },
    ["next"],
  ),
  PathDetail: object({
    ...SUMMARY,
    nar: described("The path of the NAR in this cache.", STRING),
    narHash: NAR_HASH,
    fileHash: orNull("null where the narinfo does not say.", STRING),
    references: list(BASE_NAME),
    missingReferences: list(BASE_NAME, { description: "Those of the references that are not here now." }),
    referrers: list(BASE_NAME, { maxItems: MAX_REFERRERS, description: "The first of them by hash." }),
    referrerCount: COUNT,
    closure: object({
      paths: described("Paths of the closure that are here.", COUNT),
      narSize: BYTES,
      fileSize: described("Bytes that a client downloads that has nothing of it.", BYTES),
      missing: described("Paths of the closure that are referred to and not here.", COUNT),
    }),
    signatures: list(STRING),
    deriver: orNull("A base name.", STRING),
    ca: orNull("The content address.", STRING),
    differingBuilds: list(
      object({ narHash: NAR_HASH, narSize: BYTES, firstPush: TIME, lastPush: TIME, pushedBy: STRING }),
      { description: "Other contents that were pushed for the path: it is not reproducible." },
    ),
  }),
  Deleted: object({ deleted: list(BASE_NAME) }),
  Stats: object({
    asOf: described("When it was counted; up to a minute ago.", TIME),
    paths: COUNT,
    narSize: described("Bytes of all paths, unpacked.", BYTES),
    nars: described("Published NARs.", COUNT),
    storedSize: described("Bytes of these in the bucket.", BYTES),
    byCompression: list(object({ compression: { type: "string", enum: COMPRESSIONS }, ...AMOUNT })),
    growth: list(object({ day: { type: "string", format: "date" }, ...AMOUNT }), {
      minItems: GROWTH_DAYS,
      maxItems: GROWTH_DAYS,
      description: "Paths by the day (UTC) of their first push; the last is today.",
    }),
    largest: list({ $ref: "#/components/schemas/PathSummary" }, { maxItems: LARGEST }),
    catalogSize: described("Bytes of the catalog itself.", BYTES),
  }),
  ReindexReport: object(
    {
      ...run("reindex"),
      ...WALKED,
      indexed: described("Paths taken into the catalog, or brought up to date.", COUNT),
      removed: described("Entries removed whose object is not there.", COUNT),
      unreadable: FINDINGS,
      unreadablePins: FINDINGS,
    },
    ["finished", "problem"],
  ),
  CheckReport: object(
    {
      ...run("check"),
      ...WALKED,
      repair: described("Whether it repairs what is safe to repair.", BOOLEAN),
      clean: described("Nothing found so far.", BOOLEAN),
      findings: object(Object.fromEntries(FINDING_KINDS.map((kind) => [kind, FINDINGS]))),
    },
    ["finished", "problem"],
  ),
  PinRequest: {
    ...object(
      {
        store_path: described("It must be in the cache.", STRING),
        keep_revisions: described("So many of the newest revisions stay.", {
          type: "integer",
          minimum: 1,
          maximum: MAX_KEEP_REVISIONS,
        }),
        keep_days: described(
          "Revisions of so many days stay. Without this and keep_revisions: all of them.",
          {
            type: "integer",
            minimum: 1,
            maximum: MAX_KEEP_DAYS,
          },
        ),
      },
      ["keep_revisions", "keep_days"],
    ),
    additionalProperties: false,
  },
  Pin: object({
    name: STRING,
    storePath: described("The newest.", STRING),
    keepRevisions: orNull("null: not by number.", COUNT),
    keepDays: orNull("null: not by time.", COUNT),
    revisions: list(
      object({
        storePath: STRING,
        pinned: TIME,
        pinnedBy: STRING,
        until: orNull("When it is kept no longer; null: not by time.", TIME),
      }),
      { minItems: 1, description: "The newest first." },
    ),
  }),
  Pins: object({ pins: list({ $ref: "#/components/schemas/Pin" }, { description: "By name." }) }),
  DeletedPin: object({ deleted: described("Its name.", STRING) }),
  GcRequest: {
    ...object({ dry_run: BOOLEAN, force: BOOLEAN }, ["dry_run", "force"]),
    additionalProperties: false,
  },
  GcReport: object(
    {
      ...run("gc"),
      dryRun: described("Nothing was to be deleted.", BOOLEAN),
      force: described("More than half of the cache may go.", BOOLEAN),
      retentionDays: orNull("null: paths do not go by age.", { type: "number" }),
      maxSizeGb: orNull("null: paths do not go by size.", { type: "number" }),
      stopped: described("Why it ended before its end, or before it deleted anything; what to do.", STRING),
      paths: described("Here when it began.", COUNT),
      bytes: described("Of their NARs in the bucket, each counted once.", BYTES),
      pins: COUNT,
      roots: described("Paths that stay of themselves, and keep all that they refer to.", COUNT),
      alive: object(PATHS_AND_BYTES),
      dead: described(
        "What no root holds; `expired` because of its age, `tooLarge` because of max_size_gb.",
        object({ ...PATHS_AND_BYTES, expired: COUNT, tooLarge: COUNT }),
      ),
      oldest: list(object({ storePath: STRING, lastWanted: TIME }), {
        description: "The first hundred of the dead, the oldest first.",
      }),
      removed: described(
        "Deleted so far; the bytes leave the bucket a grace period later.",
        object(PATHS_AND_BYTES),
      ),
      spared: described("Dead when it looked, and wanted again before they could go.", COUNT),
      unpublishedNars: described("NARs that were uploaded and never published, and go now.", COUNT),
      spent: described(
        "Operations of the bucket by class, calls that delete, and rows of the catalog.",
        object({ classA: COUNT, classB: COUNT, deletes: COUNT, rowsRead: COUNT, rowsWritten: COUNT }),
      ),
    },
    ["finished", "problem", "stopped"],
  ),
  ResignReport: object(
    {
      ...run("resign"),
      drop: orNull("The key whose signatures go; null: none.", STRING),
      keys: list(STRING, { description: "Names of the keys with which it signs." }),
      paths: described("Looked at so far.", COUNT),
      resigned: described("Narinfos that had other signatures and were written.", COUNT),
      unreadable: described("Paths passed by: nobody can read or rewrite their narinfo.", FINDINGS),
    },
    ["finished", "problem"],
  ),
  Problem: {
    ...object({
      type: { type: "string", const: "about:blank" },
      title: STRING,
      status: { type: "integer", minimum: 400, maximum: 599 },
      detail: described("What is wrong and what to do, in one line.", STRING),
    }),
    description: "RFC 9457.",
  },
} satisfies Record<string, Schema>;
