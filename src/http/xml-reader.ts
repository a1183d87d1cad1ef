// Parses the one XML document that S3 clients send: the list of parts that completes a multipart upload. The input is
// untrusted, so only the necessary subset of XML is accepted: no document type, no own entities, no comments, no
// CDATA.
import { S3Error } from "./s3-error.ts";

export interface RequestedPart {
  readonly number: number;
  /** Without quotes. */
  readonly etag: string;
}

/** S3's own limit, and R2's. */
const MAX_PARTS = 10_000;
const MAX_ETAG_LENGTH = 256;
/** Of a part: its number, its ETag, and a checksum of each kind that S3 has, some twice. */
const MAX_FIELDS = 16;

const SPACE = /[ \t\r\n]*/y;
const DECLARATION = /\ufeff?(?:<\?xml [^?<>]*\?>)?/y;
const ROOT =
  /<CompleteMultipartUpload(?:[ \t\r\n]+xmlns(?::\w+)?[ \t\r\n]*=[ \t\r\n]*(?:"[^"<&]*"|'[^'<&]*'))*[ \t\r\n]*>/y;
const ROOT_END = /<\/CompleteMultipartUpload[ \t\r\n]*>/y;
const PART = /<Part[ \t\r\n]*>/y;
const PART_END = /<\/Part[ \t\r\n]*>/y;
const FIELD =
  /<(?<name>[A-Za-z0-9]+)[ \t\r\n]*>(?<value>[^<]*)<\/\k<name>[ \t\r\n]*>|<(?<empty>[A-Za-z0-9]+)[ \t\r\n]*\/>/y;

/**
 * At least one part, in the order of the document, with numbers from 1 to 10,000. The caller limits the text's size and
 * checks that the parts ascend and exist. Throws {@link S3Error} 400 `MalformedXML`.
 */
export function readCompleteRequest(text: string): readonly RequestedPart[] {
  let at = 0;
  /** Matches a pattern at the current position and moves behind the match. */
  function take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  }
  function takeAfterSpace(pattern: RegExp): RegExpExecArray | null {
    take(SPACE);
    return take(pattern);
  }

  function takePart(): RequestedPart {
    const fields = new Map<string, string>();
    let count = 0;
    while (takeAfterSpace(PART_END) === null) {
      const { name, value, empty } = takeAfterSpace(FIELD)?.groups ?? {};
      if (++count > MAX_FIELDS) throw malformed(`a part has more than ${MAX_FIELDS} fields`);
      const field = name ?? empty;
      if (field === undefined) throw malformed("a part has something else than its fields");
      // Newer SDKs repeat the part's checksums, which were checked on its upload.
      if (/^Checksum[A-Z0-9]+$/.test(field)) continue;
      if (field !== "PartNumber" && field !== "ETag") throw malformed(`a part has no field ${field}`);
      if (fields.has(field)) throw malformed(`a part has more than one ${field}`);
      fields.set(field, unescapeText(value ?? "").trim());
    }
    return { number: partNumber(fields.get("PartNumber")), etag: tag(fields.get("ETag")) };
  }

  take(DECLARATION);
  if (takeAfterSpace(ROOT) === null) throw malformed("it does not begin with CompleteMultipartUpload");
  const parts: RequestedPart[] = [];
  while (takeAfterSpace(PART) !== null) {
    if (parts.length === MAX_PARTS) throw malformed(`it has more than ${MAX_PARTS} parts`);
    parts.push(takePart());
  }
  if (parts.length === 0) throw malformed("it has no parts");
  if (takeAfterSpace(ROOT_END) === null) throw malformed("it has something else than parts");
  take(SPACE);
  if (at < text.length) throw malformed("something follows its end");
  return parts;
}

function partNumber(text = ""): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= MAX_PARTS) return number;
  throw malformed(`a PartNumber must be from 1 to ${MAX_PARTS}`);
}

/** With or without the quotes of the ETag header. */
function tag(text = ""): string {
  const etag = /^"([^"]*)"$/.exec(text)?.[1] ?? text;
  if (/^[\x21\x23-\x7e]+$/.test(etag) && etag.length <= MAX_ETAG_LENGTH) return etag;
  throw malformed("an ETag is missing or is none");
}

/** Resolves XML's five entities and numeric ones, which the AWS SDK for Go writes for quotes. */
function unescapeText(text: string): string {
  return text.replace(
    /&(?:(amp|lt|gt|quot|apos);|#(\d{1,7});|#x([0-9A-Fa-f]{1,6});)?/g,
    (_, name?: string, decimal?: string, hex?: string) => {
      if (name !== undefined) return { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }[name] ?? "";
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
      // Numbers and ETags are printable ASCII.
      if (code >= 0x20 && code < 0x7f) return String.fromCharCode(code);
      throw malformed("it has an entity or a character that no list of parts has");
    },
  );
}

function malformed(what: string): S3Error {
  return new S3Error(400, "MalformedXML", `the list of parts is not valid: ${what}`);
}
