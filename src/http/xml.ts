// The XML documents of S3 that this server writes. It reads one: xml-reader.ts.
import { REGION } from "./s3-region.ts";
import { type Content, document, type Element } from "./xml-writer.ts";

export * from "./xml-listings.ts";
export { type RequestedPart, readCompleteRequest } from "./xml-reader.ts";

export interface ListedPart {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: Date;
}

/** A page of the parts of an upload. */
export interface PartListing {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  /** The page begins after the part of this number. */
  readonly partNumberMarker: number;
  readonly maxParts: number;
  readonly isTruncated: boolean;
  readonly parts: readonly ListedPart[];
}

/** S3's errors have no namespace. */
export function errorDocument(code: string, message: string, resource: string): string {
  const content: Content = [
    ["Code", code],
    ["Message", message],
    ["Resource", resource],
  ];
  return document("Error", content, "");
}

/** The answer to `POST key?uploads`. */
export function initiateDocument(bucket: string, key: string, uploadId: string): string {
  return document("InitiateMultipartUploadResult", [
    ["Bucket", bucket],
    ["Key", key],
    ["UploadId", uploadId],
  ]);
}

/** The answer to `POST key?uploadId=U`; `location` is the URL of the object. */
export function completeDocument(location: string, bucket: string, key: string, etag: string): string {
  return document("CompleteMultipartUploadResult", [
    ["Location", location],
    ["Bucket", bucket],
    ["Key", key],
    ["ETag", `"${etag}"`],
  ]);
}

/** The answer to `GET key?uploadId=U`. */
export function listPartsDocument(page: PartListing): string {
  const { parts, partNumberMarker } = page;
  return document("ListPartsResult", [
    ["Bucket", page.bucket],
    ["Key", page.key],
    ["UploadId", page.uploadId],
    ["StorageClass", "STANDARD"],
    ["PartNumberMarker", partNumberMarker],
    ["NextPartNumberMarker", parts.at(-1)?.number ?? partNumberMarker],
    ["MaxParts", page.maxParts],
    ["IsTruncated", page.isTruncated],
    ...parts.map(
      ({ number, lastModified, etag, size }): Element => [
        "Part",
        [
          ["PartNumber", number],
          ["LastModified", lastModified.toISOString()],
          ["ETag", `"${etag}"`],
          ["Size", size],
        ],
      ],
    ),
  ]);
}

/** The answer to `GET /<bucket>?location`. */
export function locationDocument(): string {
  return document("LocationConstraint", REGION);
}

/** The answer to a question for a setting that a bucket need not have. */
export function emptyDocument(name: string): string {
  return document(name, []);
}

/** The answer to `GET /<bucket>?requestPayment`. */
export function paymentDocument(): string {
  return document("RequestPaymentConfiguration", [["Payer", "BucketOwner"]]);
}

/** The answer to `GET /`: the one bucket. S3 clients require a creation date, so this one is made up. */
export function bucketsDocument(bucket: string): string {
  const entry: Content = [
    ["Name", bucket],
    ["CreationDate", new Date(0).toISOString()],
  ];
  return document("ListAllMyBucketsResult", [["Buckets", [["Bucket", entry]]]]);
}
