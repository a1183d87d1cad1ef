/** The XML documents that S3 clients get. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { S3Error } from "../../src/http/s3-error.ts";
import {
  completeDocument,
  errorDocument,
  initiateDocument,
  type ListingV2,
  listDocument,
  listDocumentV1,
  listPartsDocument,
  locationDocument,
} from "../../src/http/xml.ts";

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const lastModified = new Date("2026-11-22T12:00:00.123Z");

/** The text of the first element of a name, as an XML reader would give it. */
function textOf(document: string, name: string): string | undefined {
  const [, text] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(document) ?? [];
  const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#13": "\r" };
  return text?.replace(/&([^;]*);/g, (_, entity: string) => entities[entity] ?? "?");
}

describe("the documents", () => {
  test("an error", () => {
    expect(errorDocument("NoSuchKey", "there is no <key>", "/a&b")).toBe(
      `${DECLARATION}<Error><Code>NoSuchKey</Code><Message>there is no &lt;key&gt;</Message><Resource>/a&amp;b</Resource></Error>`,
    );
  });

  test("the beginning and the end of an upload", () => {
    expect(initiateDocument("nix-cache", "nar/a.nar", "a.b")).toBe(
      `${DECLARATION}<InitiateMultipartUploadResult ${NAMESPACE}><Bucket>nix-cache</Bucket><Key>nar/a.nar</Key><UploadId>a.b</UploadId></InitiateMultipartUploadResult>`,
    );
    expect(completeDocument("https://h/nar/a.nar", "nix-cache", "nar/a.nar", "abc-2")).toBe(
      `${DECLARATION}<CompleteMultipartUploadResult ${NAMESPACE}><Location>https://h/nar/a.nar</Location><Bucket>nix-cache</Bucket><Key>nar/a.nar</Key><ETag>&quot;abc-2&quot;</ETag></CompleteMultipartUploadResult>`,
    );
  });

  test("the parts of an upload", () => {
    const page = {
      bucket: "b",
      key: "k",
      uploadId: "u",
      partNumberMarker: 1,
      maxParts: 2,
      isTruncated: true,
    };
    const part = { size: 5, etag: "e", lastModified };
    const document = listPartsDocument({
      ...page,
      parts: [
        { number: 2, ...part },
        { number: 4, ...part },
      ],
    });
    expect(document).toContain(
      "<PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>4</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>",
    );
    expect(document).toContain(
      "<Part><PartNumber>4</PartNumber><LastModified>2026-11-22T12:00:00.123Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size></Part></ListPartsResult>",
    );
    expect(textOf(listPartsDocument({ ...page, parts: [] }), "NextPartNumberMarker")).toBe("1");
  });

  test("the place of a bucket", () => {
    expect(locationDocument()).toBe(
      `${DECLARATION}<LocationConstraint ${NAMESPACE}>auto</LocationConstraint>`,
    );
  });
});

describe("a listing", () => {
  const listing: ListingV2 = {
    bucket: "nix-cache",
    prefix: "",
    delimiter: "",
    startAfter: "",
    cursor: "",
    maxKeys: 1000,
    isTruncated: false,
    nextCursor: undefined,
    encodeUrl: false,
    objects: [],
    commonPrefixes: [],
  };

  test("of nothing", () => {
    expect(listDocument(listing)).toBe(
      `${DECLARATION}<ListBucketResult ${NAMESPACE}><Name>nix-cache</Name><Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`,
    );
  });

  test("with everything", () => {
    const document = listDocument({
      ...listing,
      prefix: "log/",
      delimiter: "/",
      startAfter: "log/a",
      cursor: "c",
      isTruncated: true,
      nextCursor: "d",
      objects: [{ key: "log/a&b", size: 1, etag: "e", lastModified }],
      commonPrefixes: ["log/c/"],
    });
    expect(document).toContain(
      "<Prefix>log/</Prefix><StartAfter>log/a</StartAfter><ContinuationToken>c</ContinuationToken><NextContinuationToken>d</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>",
    );
    expect(document).toContain(
      "<Contents><Key>log/a&amp;b</Key><LastModified>2026-11-22T12:00:00.123Z</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>log/c/</Prefix></CommonPrefixes></ListBucketResult>",
    );
  });

  test("of the first version", () => {
    const { startAfter, cursor, nextCursor, ...shared } = listing;
    const page = { ...shared, isTruncated: true, encodeUrl: true, marker: "a+", nextMarker: "b+" };
    expect(listDocumentV1(page)).toContain(
      "<Prefix></Prefix><Marker>a%2B</Marker><NextMarker>b%2B</NextMarker><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>",
    );
    expect(listDocumentV1({ ...shared, marker: "", nextMarker: undefined })).toContain(
      "<Marker></Marker><MaxKeys>",
    );
  });

  test("percent-encoded where that was asked for", () => {
    const objects = [{ key: "log/a+b c!(d)=é?.drv", size: 1, etag: "e", lastModified }];
    const document = listDocument({ ...listing, encodeUrl: true, prefix: "log/a+", objects });
    expect(textOf(document, "Key")).toBe("log/a%2Bb%20c%21%28d%29%3D%C3%A9%3F.drv");
    expect(textOf(document, "Prefix")).toBe("log/a%2B");
    expect(textOf(document, "EncodingType")).toBe("url");
  });
});

describe("any text", () => {
  test("comes out as it went in, where XML can say it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const sayable = text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
        expect(textOf(errorDocument("c", text, ""), "Message")).toBe(sayable);
      }),
    );
  });

  test("never becomes markup, nor a character that XML does not have", () => {
    const hostile = "]]></Message><Code>x</Code>&lt;\0\x08\x1b\ud800\ufffe";
    const document = errorDocument("c", hostile, hostile);
    expect(document.match(/<Code>/g)).toHaveLength(1);
    for (const character of "\0\x08\x1b\ud800\ufffe") expect(document).not.toContain(character);
    const objects = [{ key: "\ud800", size: 1, etag: "e", lastModified }];
    const page = {
      bucket: "",
      prefix: "",
      delimiter: "",
      startAfter: "",
      cursor: "",
      maxKeys: 1,
      isTruncated: false,
    };
    const encoded = { ...page, nextCursor: undefined, encodeUrl: true, objects, commonPrefixes: [] };
    expect(textOf(listDocument(encoded), "Key")).toBe("%EF%BF%BD");
  });
});

test("an S3Error is a refusal with a code", () => {
  expect(new S3Error(404, "NoSuchUpload", "none", { Allow: "GET" })).toMatchObject({
    status: 404,
    code: "NoSuchUpload",
    message: "none",
    headers: { Allow: "GET" },
  });
});
