// The route table: method, path, permission and handler.
import { OPERATIONS } from "./api/operations.ts";
import { carriesSigV4 } from "./auth/sigv4/detect.ts";
import { KINDS, type Kind, NAR, NARINFO, type Upload } from "./bucket/kinds.ts";
import { uploadedNarSha256 } from "./bucket/nar-target.ts";
import { orFromUpstream } from "./cache/from-upstream.ts";
import { getHealth } from "./cache/health.ts";
import { getCacheInfo, getFrontPage, putCacheInfo } from "./cache/info.ts";
import { getMetrics } from "./cache/metrics.ts";
import { orByOtherName } from "./cache/other-name.ts";
import { putMetadata } from "./cache/put-metadata.ts";
import { putNar } from "./cache/put-nar.ts";
import { putNarInfo } from "./cache/put-narinfo.ts";
import { putRealisation } from "./cache/put-realisation.ts";
import { readObject } from "./cache/read.ts";
import { touchNar, touchNarInfo } from "./cache/touch.ts";
import type { Context, Handler, Route } from "./context.ts";
import { PAGE_ROUTES, pageOr } from "./page/routes.ts";
import { createBucket, getSetting, listBucketsOr } from "./s3/bucket.ts";
import { completeUpload } from "./s3/complete.ts";
import { LIST_PARAMETERS, list } from "./s3/list.ts";
import { abortUpload, createUpload, listParts, uploadPart } from "./s3/multipart.ts";
import { CREATE_BUCKET } from "./s3/operations.ts";
import { requireValidConfig } from "./valid-config.ts";

/** Of all kinds: clients send in parts what is larger than a limit of their own. */
const UPLOADS = {
  pattern: new RegExp(KINDS.map((kind) => under(kind).source).join("|")),
  permission: "push",
} as const;
const INFO = { pattern: /^\/nix-cache-info$/ } as const;
const FRONT = { method: "GET", pattern: /^\/$/, permission: "pull" } as const;

const WRITERS: Readonly<Record<Upload, (kind: Kind) => Handler>> = {
  narinfo: () => putNarInfo,
  nar: () => putNar,
  realisation: putRealisation,
  "as-sent": putMetadata,
};

export const ROUTES: readonly Route[] = [
  { ...UPLOADS, method: "POST", query: ["uploads"], handler: requireValidConfig(createUpload) },
  { ...UPLOADS, method: "PUT", query: ["uploadId"], handler: requireValidConfig(uploadPart) },
  { ...UPLOADS, method: "POST", query: ["uploadId"], handler: requireValidConfig(completeUpload(putAny)) },
  { ...UPLOADS, method: "GET", query: ["uploadId"], handler: listParts },
  { ...UPLOADS, method: "DELETE", query: ["uploadId"], handler: abortUpload },
  ...KINDS.flatMap(routesOfKind),
  { ...INFO, method: "GET", permission: "pull", handler: getCacheInfo },
  { ...INFO, method: "PUT", permission: "push", handler: requireValidConfig(putCacheInfo) },
  { method: "GET", pattern: /^\/health$/, permission: "none", handler: getHealth },
  { method: "GET", pattern: /^\/metrics$/, permission: "list", handler: getMetrics },
  { ...FRONT, query: ["location"], handler: getSetting },
  { ...FRONT, query: LIST_PARAMETERS, permission: "list", handler: list },
  { ...FRONT, method: "PUT", query: [CREATE_BUCKET], permission: "push", handler: createBucket },
  { ...FRONT, handler: listBucketsOr(pageOr(getFrontPage)) },
  ...OPERATIONS,
  ...PAGE_ROUTES,
];

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
      handler: requireValidConfig(WRITERS[kind.upload](kind)),
      ...(kind === NAR && { bodySha256: narSha256 }),
    },
  ];
}

function narSha256(path: string, request: Request): string | undefined {
  return uploadedNarSha256(path, carriesSigV4(request), request.headers);
}

/** PUT of an object of any kind. */
async function putAny(context: Context): Promise<Response> {
  const kind = KINDS.find(({ pattern }) => pattern.test(context.path)) ?? NAR;
  return WRITERS[kind.upload](kind)(context);
}

function under(kind: Kind): RegExp {
  return new RegExp(kind.pattern.source.replace("^", "^/"));
}

function reader(kind: Kind): Handler {
  if (kind === NARINFO) return orFromUpstream(readObject(kind, touchNarInfo));
  return kind === NAR ? orByOtherName(readObject(kind, touchNar)) : readObject(kind);
}
