/** Reading the XML that S3 clients send: as much of it as they need, and nothing dangerous. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { S3Error } from "../../src/http/s3-error.ts";
import { readCompleteRequest } from "../../src/http/xml.ts";

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';
const PART = '<Part><ETag>"a1"</ETag><PartNumber>1</PartNumber></Part>';
const whole = (parts: string) => `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;

describe("what clients send", () => {
  test.each([
    ["Nix and curl", whole('<Part><PartNumber>1</PartNumber><ETag>"a1"</ETag></Part>')],
    ["boto3", `<CompleteMultipartUpload ${NAMESPACE}>${PART}</CompleteMultipartUpload>`],
    [
      "boto3, with a checksum",
      `<CompleteMultipartUpload ${NAMESPACE}><Part><ETag>"a1"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`,
    ],
    [
      "the AWS SDK for JavaScript",
      `${DECLARATION}<CompleteMultipartUpload ${NAMESPACE}><Part><ETag>&quot;a1&quot;</ETag><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`,
    ],
    [
      "the AWS SDK for Go",
      `<CompleteMultipartUpload ${NAMESPACE}><Part><ETag>&#34;a1&#34;</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`,
    ],
    [
      "indented, with CRLF",
      `\ufeff${DECLARATION}\r\n<CompleteMultipartUpload\n  ${NAMESPACE}\n>\r\n  <Part>\r\n    <PartNumber> 1 </PartNumber>\r\n    <ETag>a1</ETag>\r\n  </Part>\r\n</CompleteMultipartUpload >\r\n`,
    ],
    [
      "by hand",
      whole("<Part><ChecksumSHA1/><PartNumber>01</PartNumber><ETag>&#x22;&#x61;1&#x22;</ETag></Part>"),
    ],
  ])("%s", (_, document) => {
    expect(readCompleteRequest(document)).toEqual([{ number: 1, etag: "a1" }]);
  });

  test("10,000 parts, in their order", () => {
    const numbers = Array.from({ length: 10_000 }, (_, index) => 10_000 - index);
    const part = (number: number) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>"${number}"</ETag></Part>`;
    const parts = readCompleteRequest(whole(numbers.map(part).join("")));
    expect(parts).toEqual(numbers.map((number) => ({ number, etag: String(number) })));
    expect(() => readCompleteRequest(whole(PART.repeat(10_001)))).toThrow("10000 parts");
  });
});

describe("what is refused", () => {
  const part = (inner: string) => whole(`<Part>${inner}</Part>`);
  test.each([
    ["nothing", ""],
    ["no XML", "parts=1"],
    ["no parts", whole("")],
    ["an empty element", "<CompleteMultipartUpload/>"],
    ["another document", "<Delete><Object><Key>a</Key></Object></Delete>"],
    ["another case", whole(PART).toLowerCase()],
    ["a document type", `<!DOCTYPE a [<!ENTITY b "c">]>${whole(PART)}`],
    [
      "a document type after the declaration",
      `${DECLARATION}<!DOCTYPE a SYSTEM "file:///etc/passwd">${whole(PART)}`,
    ],
    ["an entity of its own", part("<PartNumber>1</PartNumber><ETag>&b;</ETag>")],
    ["a bare ampersand", part("<PartNumber>1</PartNumber><ETag>a&b</ETag>")],
    ["an unfinished entity", part("<PartNumber>1</PartNumber><ETag>a&amp</ETag>")],
    ["a character that XML has not", part("<PartNumber>1</PartNumber><ETag>a&#0;</ETag>")],
    ["a character that Unicode has not", part("<PartNumber>1</PartNumber><ETag>a&#x110000;</ETag>")],
    ["CDATA", part("<PartNumber>1</PartNumber><ETag><![CDATA[a]]></ETag>")],
    ["a comment", part("<!-- --><PartNumber>1</PartNumber><ETag>a</ETag>")],
    ["a processing instruction", part("<?a b?><PartNumber>1</PartNumber><ETag>a</ETag>")],
    ["an attribute", whole('<Part a="b"><PartNumber>1</PartNumber><ETag>a</ETag></Part>')],
    ["another attribute of the root", `<CompleteMultipartUpload a="b">${PART}</CompleteMultipartUpload>`],
    ["a prefix", `<s3:CompleteMultipartUpload>${PART}</s3:CompleteMultipartUpload>`],
    ["an unfinished document", `<CompleteMultipartUpload>${PART}`],
    ["an unfinished part", `<CompleteMultipartUpload>${PART.slice(0, -7)}</CompleteMultipartUpload>`],
    ["something before", `a${whole(PART)}`],
    ["something between", whole(`${PART}a${PART}`)],
    ["something behind", `${whole(PART)}a`],
    ["two documents", whole(PART) + whole(PART)],
    ["a part in a part", part(PART)],
    ["an element in a field", part("<PartNumber>1</PartNumber><ETag><a/></ETag>")],
    ["fields that do not match", part("<PartNumber>1</ETag><ETag>a</PartNumber>")],
    ["an unknown field", part("<PartNumber>1</PartNumber><ETag>a</ETag><Size>1</Size>")],
    ["a field twice", part("<PartNumber>1</PartNumber><PartNumber>1</PartNumber><ETag>a</ETag>")],
    ["no number", part("<ETag>a</ETag>")],
    ["an empty number", part("<PartNumber/><ETag>a</ETag>")],
    ["the number 0", part("<PartNumber>0</PartNumber><ETag>a</ETag>")],
    ["the number 10,001", part("<PartNumber>10001</PartNumber><ETag>a</ETag>")],
    ["a number with a sign", part("<PartNumber>+1</PartNumber><ETag>a</ETag>")],
    ["a fraction", part("<PartNumber>1.0</PartNumber><ETag>a</ETag>")],
    ["no ETag", part("<PartNumber>1</PartNumber>")],
    ["an empty ETag", part('<PartNumber>1</PartNumber><ETag>""</ETag>')],
    ["half of an ETag", part('<PartNumber>1</PartNumber><ETag>"a</ETag>')],
    ["an ETag with a blank", part("<PartNumber>1</PartNumber><ETag>a b</ETag>")],
    ["many fields", part(`<PartNumber>1</PartNumber><ETag>a</ETag>${"<ChecksumSHA1/>".repeat(15)}`)],
    ["deep nesting", "<Part>".repeat(100_000)],
    ["deep nesting of another document", "<Delete><Object>".repeat(100_000)],
    ["deep nesting in a field", part(`<ETag>${"<a>".repeat(100_000)}`)],
    ["a long ETag", part(`<PartNumber>1</PartNumber><ETag>${"a".repeat(257)}</ETag>`)],
  ])("%s", (_, document) => {
    const read = () => readCompleteRequest(document);
    expect(read).toThrow(S3Error);
    expect(read).toThrow(expect.objectContaining({ status: 400, code: "MalformedXML" }));
  });
});

test("garbage throws nothing else, and what is read is well-formed", () => {
  const valid = `${DECLARATION}<CompleteMultipartUpload ${NAMESPACE}>${PART}${PART}</CompleteMultipartUpload>`;
  const piece = fc.oneof(
    fc.string({ maxLength: 10 }),
    fc.constantFrom(
      "<",
      ">",
      "</",
      "/>",
      "&",
      "&#",
      "&quot;",
      "<Part>",
      "</Part>",
      "<!",
      "<?",
      '"',
      "1",
      " ",
    ),
  );
  const mutated = fc
    .tuple(fc.nat(valid.length), fc.nat(30), piece)
    .map(([at, length, text]) => valid.slice(0, at) + text + valid.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string()), (document) => {
      try {
        for (const { number, etag } of readCompleteRequest(document)) {
          expect(number).toSatisfy((number: number) => number >= 1 && number <= 10_000);
          expect(etag).toMatch(/^[\x21\x23-\x7e]+$/);
        }
      } catch (error) {
        // Only this error is an answer; expect's own goes on.
        if (!(error instanceof S3Error)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});

test("hostile documents take no more than linear time: more would never end", () => {
  const long = 1_000_000;
  for (const document of [
    "<".repeat(long),
    " ".repeat(long),
    `<CompleteMultipartUpload${" ".repeat(long)}`,
    `<CompleteMultipartUpload${" xmlns='a'".repeat(long / 10)}`,
    `<CompleteMultipartUpload><Part>${"a".repeat(long)}`,
    `<CompleteMultipartUpload><Part><${"a".repeat(long)}`,
    `<CompleteMultipartUpload><Part><ETag>${"&".repeat(long)}`,
    `<CompleteMultipartUpload><Part>${"<ChecksumSHA1/>".repeat(long / 15)}`,
    `<?xml ${"a".repeat(long)}`,
  ]) {
    expect(() => readCompleteRequest(document)).toThrow(S3Error);
  }
});
