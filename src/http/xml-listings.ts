// The XML documents of S3 that list objects, their versions, and uploads.
import { document, type Element, encodeKey, given } from "./xml-writer.ts";

export interface ListedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes, like every ETag here. */
  readonly etag: string;
  readonly lastModified: Date;
}

/** A page of a listing. Fields that were not asked for are empty or `undefined`. */
export interface Listing {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly isTruncated: boolean;
  /** Whether keys are percent-encoded (`encoding-type=url`), as every AWS tool asks. */
  readonly encodeUrl: boolean;
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
}

/** A page of ListObjectsV2. */
export interface ListingV2 extends Listing {
  readonly startAfter: string;
  readonly cursor: string;
  /** It was sent, and is empty: echoed so, as S3 does. */
  readonly hasEmptyCursor?: boolean;
  readonly nextCursor: string | undefined;
}

/** A page of ListObjects. */
export interface ListingV1 extends Listing {
  readonly marker: string;
  readonly nextMarker: string | undefined;
}

/** A page of ListObjectVersions. Every object has one version. */
export interface VersionListing extends Listing {
  readonly keyMarker: string;
  readonly nextKeyMarker: string | undefined;
}

/** The answer to `GET /<bucket>?versions`. */
export function versionsDocument(page: VersionListing): string {
  const name = (key: string) => keyText(page, key);
  return document("ListVersionsResult", [
    ["Name", page.bucket],
    ["Prefix", name(page.prefix)],
    ["KeyMarker", name(page.keyMarker)],
    ["VersionIdMarker", ""],
    ...given("NextKeyMarker", page.nextKeyMarker && name(page.nextKeyMarker)),
    ...(page.nextKeyMarker === undefined ? [] : [["NextVersionIdMarker", "null"] as const]),
    ...pageElements(page),
    ...page.objects.map(
      (object): Element => [
        "Version",
        [["Key", name(object.key)], ["VersionId", "null"], ["IsLatest", true], ...objectElements(object)],
      ],
    ),
    ...folderElements(page),
  ]);
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: Date;
}

/** A page of ListMultipartUploads. */
export interface UploadListing extends Pick<Listing, "bucket" | "prefix" | "encodeUrl"> {
  readonly maxUploads: number;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  /** The last of the page where there are more. */
  readonly next: ListedUpload | undefined;
  readonly uploads: readonly ListedUpload[];
}

/** The answer to `GET /<bucket>?uploads`. */
export function uploadsDocument(page: UploadListing): string {
  const name = (key: string) => (page.encodeUrl ? encodeKey(key) : key);
  return document("ListMultipartUploadsResult", [
    ["Bucket", page.bucket],
    ["KeyMarker", name(page.keyMarker)],
    ["UploadIdMarker", page.uploadIdMarker],
    ...given("NextKeyMarker", page.next && name(page.next.key)),
    ...given("NextUploadIdMarker", page.next?.uploadId),
    ["Prefix", name(page.prefix)],
    ...given("EncodingType", page.encodeUrl ? "url" : ""),
    ["MaxUploads", page.maxUploads],
    ["IsTruncated", page.next !== undefined],
    ...page.uploads.map(
      ({ key, uploadId, initiated }): Element => [
        "Upload",
        [
          ["Key", name(key)],
          ["UploadId", uploadId],
          ["StorageClass", "STANDARD"],
          ["Initiated", initiated.toISOString()],
        ],
      ],
    ),
  ]);
}

/** The answer to `GET /<bucket>?list-type=2`. */
export function listDocument(page: ListingV2): string {
  return listing(page, [
    ...given("StartAfter", keyText(page, page.startAfter)),
    ...(page.hasEmptyCursor ? [["ContinuationToken", ""] as const] : given("ContinuationToken", page.cursor)),
    ...given("NextContinuationToken", page.nextCursor),
    ["KeyCount", page.objects.length + page.commonPrefixes.length],
  ]);
}

/** The answer to `GET /<bucket>` with any other parameter of a listing. */
export function listDocumentV1(page: ListingV1): string {
  return listing(page, [
    ["Marker", keyText(page, page.marker)],
    ...given("NextMarker", page.nextMarker && keyText(page, page.nextMarker)),
  ]);
}

function listing(page: Listing, place: readonly Element[]): string {
  const name = (key: string) => keyText(page, key);
  return document("ListBucketResult", [
    ["Name", page.bucket],
    ["Prefix", name(page.prefix)],
    ...place,
    ...pageElements(page),
    ...page.objects.map(
      (object): Element => ["Contents", [["Key", name(object.key)], ...objectElements(object)]],
    ),
    ...folderElements(page),
  ]);
}

function pageElements(page: Listing): readonly Element[] {
  return [
    ["MaxKeys", page.maxKeys],
    ...given("Delimiter", keyText(page, page.delimiter)),
    ...given("EncodingType", page.encodeUrl ? "url" : ""),
    ["IsTruncated", page.isTruncated],
  ];
}

function objectElements({ lastModified, etag, size }: ListedObject): readonly Element[] {
  return [
    ["LastModified", lastModified.toISOString()],
    ["ETag", `"${etag}"`],
    ["Size", size],
    ["StorageClass", "STANDARD"],
  ];
}

function folderElements(page: Listing): readonly Element[] {
  return page.commonPrefixes.map((prefix) => ["CommonPrefixes", [["Prefix", keyText(page, prefix)]]]);
}

function keyText({ encodeUrl }: Listing, key: string): string {
  return encodeUrl ? encodeKey(key) : key;
}
