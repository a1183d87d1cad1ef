// The shapes of what the API takes and gives, for its OpenAPI description.
import { MAX_EXCHANGE_S } from "../auth/exchange.ts";
import { PERMISSIONS } from "../auth/grants.ts";
import { MAX_EXPIRES_IN, MIN_EXPIRES_IN } from "../auth/mint-request.ts";
import { MAX_REFERRERS } from "../catalog/detail.ts";
import { FINDING_KINDS } from "../catalog/findings.ts";
import { PHASES } from "../catalog/runs.ts";
import { GROWTH_DAYS, LARGEST } from "../catalog/stats.ts";
import { COMPRESSIONS } from "../nix/narinfo.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { MAX_PATHS } from "./missing.ts";

type JsonType = "string" | "integer" | "boolean" | "object" | "array" | "null";

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

const FINDINGS = object({
  count: COUNT,
  repaired: described("How many of them have been repaired.", COUNT),
  first: list(object({ name: STRING, detail: STRING, repaired: BOOLEAN }), {
    description: "The first of them by name.",
  }),
});

const RUN = {
  done: BOOLEAN,
  started: TIME,
  finished: described("Absent while it goes on.", TIME),
  phase: described("What it walks now, or walked last.", { type: "string", enum: PHASES }),
  steps: COUNT,
  problem: described("Why the last step stopped short; it is tried again by itself.", STRING),
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
      minted_by: STRING,
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
      kind: { type: "string", const: "reindex" },
      ...RUN,
      indexed: described("Paths taken into the catalog, or brought up to date.", COUNT),
      removed: described("Entries removed whose object is not there.", COUNT),
      unreadable: FINDINGS,
    },
    ["finished", "problem"],
  ),
  CheckReport: object(
    {
      kind: { type: "string", const: "check" },
      ...RUN,
      repair: described("Whether it repairs what is safe to repair.", BOOLEAN),
      clean: described("Nothing found so far.", BOOLEAN),
      findings: object(Object.fromEntries(FINDING_KINDS.map((kind) => [kind, FINDINGS]))),
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
