// The table of S3's operations that this cache has. It decides about every signed request: one that asks for something
// else is refused, and never taken for the request without what was not understood.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { KINDS } from "../bucket/kinds.ts";
import type { RequestPath } from "../http/path.ts";
import { RESPONSE_HEADERS } from "../http/response-headers.ts";
import { S3Error } from "../http/s3-error.ts";
import { SETTINGS } from "./settings.ts";

/** What a request is about: the buckets of this address, one of them, or an object. */
type Level = "service" | "bucket" | "object";

/** Operations of a method, each by the parameter that selects it (S3's sub-resource), with its other parameters. */
type Operations = Readonly<Record<string, readonly string[]>>;

/** The parameter by which the routes know CreateBucket. */
export const CREATE_BUCKET = "create-bucket";

/** Of the operation that no parameter selects. */
const PLAIN = "";
const PAGE = ["prefix", "delimiter", "encoding-type"] as const;
const V1 = [...PAGE, "marker", "max-keys"];

const TABLE: Readonly<Record<Level, Readonly<Record<string, Operations>>>> = {
  service: { GET: { [PLAIN]: ["prefix", "max-buckets", "continuation-token", "bucket-region"] } },
  bucket: {
    GET: {
      [PLAIN]: V1,
      "list-type": [...V1, "start-after", "continuation-token", "fetch-owner", "metadata"],
      versions: [...PAGE, "max-keys", "key-marker", "version-id-marker"],
      uploads: [...PAGE, "max-uploads", "key-marker", "upload-id-marker"],
      location: [],
      ...Object.fromEntries(SETTINGS.map((name) => [name, []])),
    },
    // CreateBucket, which is refused as S3 refuses it for one that is there.
    PUT: { [PLAIN]: [CREATE_BUCKET] },
  },
  object: {
    GET: {
      [PLAIN]: Object.keys(RESPONSE_HEADERS),
      uploadId: ["max-parts", "part-number-marker", "encoding-type"],
    },
    PUT: { [PLAIN]: [], uploadId: ["partNumber"] },
    POST: { uploads: [], uploadId: [] },
    DELETE: { uploadId: [] },
  },
};

/**
 * Headers that make another operation of a request: to append to an object, to encrypt it with the client's key, to lock
 * it. Without them the request would overwrite what is here, or store what must not be stored like that.
 */
const HEADERS =
  /^x-amz-(?:write-offset-bytes|rename-source|object-lock-|server-side-encryption-customer-|copy-source-server-side-)/;

/** Parameters that choose no operation: of signatures, and those that SDKs add to tell their operations apart. */
const ANYWHERE = /^x-amz-(?!copy-source)|^x-id$/i;

/**
 * The path of a request as the routes know it. Without a signature `/<bucket>` is a cache's front page, whatever its
 * unknown parameters, and nothing can be put there. A signed request is for a bucket, and gets a parameter that says so.
 */
export function asRouted(request: Request, path: RequestPath): RequestPath {
  if (!carriesSigV4(request) || levelOf(request, path) !== "bucket") return path;
  const method = methodOf(request);
  const selected = selectorOf(TABLE.bucket[method] ?? {}, [...new URLSearchParams(path.query).keys()]);
  const parameter = SETTINGS.includes(selected)
    ? "location"
    : { GET: "list-type=1", PUT: CREATE_BUCKET }[method];
  if (parameter === undefined || ["location", "list-type"].includes(selected)) return path;
  return { ...path, query: `${path.query}&${parameter}` };
}

/** Throws {@link S3Error} 501 for a signed request that is none of the operations of the table. */
export function requireImplemented(request: Request, path: RequestPath): void {
  if (!carriesSigV4(request)) return;
  const level = levelOf(request, path);
  const operations = TABLE[level][methodOf(request)] ?? {};
  const names = nameHasQuery(path)
    ? []
    : [...new URLSearchParams(path.query).keys()].filter((name) => !ANYWHERE.test(name));
  const selected = selectorOf(operations, names);
  const others = operations[selected];
  const unknown =
    names.find((name) => name !== selected && !others?.includes(name)) ??
    [...request.headers.keys()].find((name) => HEADERS.test(name));
  if (others !== undefined && unknown === undefined) return;
  const what = unknown === undefined ? "" : ` with '${unknown}'`;
  throw new S3Error(
    501,
    "NotImplemented",
    `this cache has no such operation as ${request.method} of ${level === "object" ? "an object" : `the ${level}`}${what}; nothing was changed`,
  );
}

function methodOf({ method }: Request): string {
  return method === "HEAD" ? "GET" : method;
}

function selectorOf(operations: Operations, parameters: readonly string[]): string {
  return parameters.find((name) => Object.hasOwn(operations, name)) ?? PLAIN;
}

function levelOf(request: Request, { path }: RequestPath): Level {
  if (path !== "/") return "object";
  // Below the name of a cache, which is its bucket, `/` is that cache.
  return new URL(request.url).pathname === "/" ? "service" : "bucket";
}

/** Whether what looks like a query is part of an object's name. */
function nameHasQuery({ pathWithQuery }: RequestPath): boolean {
  if (pathWithQuery === undefined) return false;
  const key = pathWithQuery.slice(1);
  return KINDS.some(({ nameMayHaveQuestionMark, pattern }) => nameMayHaveQuestionMark && pattern.test(key));
}
