// The XML documents of S3 that this server writes. It reads one: xml-reader.ts.
import { REGION } from "./s3-region.ts";

export { type RequestedPart, readCompleteRequest } from "./xml-reader.ts";

export interface ListedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes, like every ETag here. */
  readonly etag: string;
  readonly lastModified: Date;
}

export interface ListedPart {
  readonly number: number;
  readonly size: number;
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

type Content = string | number | boolean | readonly Element[];
type Element = readonly [name: string, content: Content];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\r": "&#13;",
};
const NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

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

function given(element: string, text: string | undefined): Element[] {
  return text ? [[element, text]] : [];
}

function keyText({ encodeUrl }: Listing, key: string): string {
  return encodeUrl ? encodeKey(key) : key;
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

function document(name: string, content: Content, namespace = NAMESPACE): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${namespace}>${markup(content)}</${name}>`;
}

function markup(content: Content): string {
  if (!Array.isArray(content)) return escapeText(String(content));
  return content.map(([name, inner]: Element) => `<${name}>${markup(inner)}</${name}>`).join("");
}

/**
 * XML 1.0 cannot represent most control characters: they become the replacement character. Use named entities where
 * they exist, because some clients do not read their numeric forms. A bare CR would be read as LF.
 */
function escapeText(text: string): string {
  return text.replace(
    /[&<>"'\r]|[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu,
    (character) => ENTITIES[character] ?? "\ufffd",
  );
}

function encodeKey(key: string): string {
  const encoded = encodeURIComponent(key.toWellFormed()).replaceAll("%2F", "/");
  return encoded.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
