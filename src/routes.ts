// The route table: what the Worker answers, what permission each route needs, and who answers it.
import { OPERATIONS } from "./api/operations.ts";
import { KINDS, type Kind, keyOf, NAR, NARINFO } from "./bucket/kinds.ts";
import { narKeySha256 } from "./bucket/nar-object.ts";
import { getCacheInfo, getFrontPage, getHealth, putCacheInfo } from "./cache/info.ts";
import { putMetadata } from "./cache/put-metadata.ts";
import { putNar } from "./cache/put-nar.ts";
import { putNarInfo } from "./cache/put-narinfo.ts";
import { readObject } from "./cache/read.ts";
import { collects } from "./config/retention.ts";
import type { Handler, Route } from "./context.ts";
import { asksForBuckets, getLocation, LIST_PARAMETERS, listBuckets, listObjects } from "./s3/bucket.ts";
import { completeUpload } from "./s3/complete.ts";
import { abortUpload, createUpload, listParts, uploadPart } from "./s3/multipart.ts";
import { requireValidConfig } from "./valid-config.ts";

const UPLOADS = { pattern: under(NAR), permission: "push" } as const;
const FRONT = { method: "GET", pattern: /^\/$/, permission: "pull" } as const;

export const ROUTES: readonly Route[] = [
  { ...UPLOADS, method: "POST", query: ["uploads"], handler: requireValidConfig(createUpload) },
  { ...UPLOADS, method: "PUT", query: ["uploadId"], handler: requireValidConfig(uploadPart) },
  { ...UPLOADS, method: "POST", query: ["uploadId"], handler: requireValidConfig(completeUpload) },
  { ...UPLOADS, method: "GET", query: ["uploadId"], handler: listParts },
  { ...UPLOADS, method: "DELETE", query: ["uploadId"], handler: abortUpload },
  ...KINDS.flatMap(routesOfKind),
  {
    method: "GET",
    pattern: /^\/nix-cache-info$/,
    permission: "pull",
    handler: ({ request, config }) => getCacheInfo(request, config),
  },
  {
    method: "PUT",
    pattern: /^\/nix-cache-info$/,
    permission: "push",
    handler: requireValidConfig(({ request, config }) => putCacheInfo(request, config)),
  },
  {
    method: "GET",
    pattern: /^\/health$/,
    permission: "none",
    handler: ({ request, bucket, config }) => getHealth(request, bucket, config),
  },
  { ...FRONT, query: ["location"], handler: getLocation },
  { ...FRONT, query: LIST_PARAMETERS, handler: listObjects },
  {
    ...FRONT,
    handler: (context) =>
      asksForBuckets(context.request) ? listBuckets(context) : getFrontPage(context.request, context.config),
  },
  ...OPERATIONS,
];

function under(kind: Kind): RegExp {
  return new RegExp(kind.pattern.source.replace("^", "^/"));
}

function routesOfKind(kind: Kind): Route[] {
  const shared = {
    pattern: under(kind),
    ...(kind.nameMayHaveQuestionMark && { nameMayHaveQuestionMark: true }),
  };
  return [
    { ...shared, method: "GET", permission: "pull", handler: reader(kind) },
    {
      ...shared,
      method: "PUT",
      permission: "push",
      handler: requireValidConfig(writer(kind)),
      ...(kind === NAR && { bodySha256: narKeySha256 }),
    },
  ];
}

function reader(kind: Kind): Handler {
  const read: Handler = ({ request, bucket, config, path }) =>
    readObject(request, bucket, kind, keyOf(kind, path), config.isPrivate);
  if (kind === NARINFO) return touchPathOnPush(read);
  return kind === NAR ? touchNarOnPush(read) : read;
}

/**
 * A pusher who finds a path here does not send it again, and refers to it: it must stay. Told before the read, so that
 * what is found is not about to be collected. Only where something is, and for whoever may push; everybody else's read
 * asks nobody.
 */
function touchPathOnPush(read: Handler): Handler {
  return async (context) => {
    const { config, path, catalog } = context;
    if (collects(config) && (await context.isPusher())) {
      await logged(catalog((c) => c.touchPath(path.slice(0, HASH_LENGTH))));
    }
    return read(context);
  };
}

const HASH_LENGTH = 32;

/** Reading goes on when the catalog does not answer. */
async function logged(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    console.warn("what a pusher asked for could not be noted", error);
  }
}

/**
 * Before uploading a NAR a pusher asks with HEAD whether it is here, and relies on the answer: it must stay. Told
 * before the read, so that what is found is not about to go. The cache in front makes a GET of a HEAD.
 */
function touchNarOnPush(read: Handler): Handler {
  return async (context) => {
    const { path, catalog } = context;
    if (await context.isPusher()) await logged(catalog((c) => c.touchNar(path)));
    return read(context);
  };
}

function writer(kind: Kind): Handler {
  switch (kind) {
    case NARINFO:
      return ({ request, config, path, catalog, identity }) =>
        putNarInfo(request, path, config, catalog, identity.name);
    case NAR:
      return ({ request, bucket, path, catalog, purge }) => putNar(request, bucket, path, catalog, purge);
    default:
      return ({ request, bucket, path, catalog }) =>
        putMetadata(request, bucket, kind, keyOf(kind, path), catalog);
  }
}
