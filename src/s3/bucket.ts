// The bucket requests of S3 tools: their buckets, and what there is to know about one of them.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import type { Handler } from "../context.ts";
import { S3Error } from "../http/s3-error.ts";
import { REGION, REGION_HEADER } from "../http/s3-region.ts";
import { bucketsDocument, locationDocument } from "../http/xml.ts";
import { xmlResponse } from "./answer.ts";
import { SETTINGS, settingDocument } from "./settings.ts";

/** Answers `GET /` of an S3 client with the one bucket that it may see; other requests go to `frontPage`. */
export function listBucketsOr(frontPage: Handler): Handler {
  return async (context) =>
    asksForBuckets(context.request)
      ? xmlResponse(bucketsDocument(context.config.cacheName))
      : frontPage(context);
}

function asksForBuckets(request: Request): boolean {
  return request.method === "GET" && carriesSigV4(request) && new URL(request.url).pathname === "/";
}

/** Answers `GET /<bucket>?location`, and questions for the settings that a bucket of S3 can have. */
export const getSetting: Handler = async ({ query }) => {
  const asked = [...new URLSearchParams(query).keys()].find((name) => SETTINGS.includes(name));
  return xmlResponse(asked === undefined ? locationDocument() : settingDocument(asked), {
    [REGION_HEADER]: REGION,
  });
};

/** Answers CreateBucket: the bucket is here. Tools that create it before they use it go on. */
export const createBucket: Handler = async ({ config }) => {
  throw new S3Error(
    409,
    "BucketAlreadyOwnedByYou",
    `the bucket ${config.cacheName} is this cache, and here already`,
  );
};
