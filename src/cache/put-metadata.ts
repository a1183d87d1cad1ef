// Uploading the companions of store paths that are stored as they were sent: listings, logs, debug info.
import { isJson, ownerOf } from "../bucket/companions.ts";
import { type Kind, keyOf } from "../bucket/kinds.ts";
import { putSmall } from "../bucket/operation.ts";
import type { Handler } from "../context.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { type Coding, contentCoding, decode } from "../http/encodings.ts";
import { HttpError, textLine } from "../http/errors.ts";

/** Answers PUT of a companion: within the kind's size, well-formed where it is JSON, stored as it was sent. */
export function putMetadata(kind: Kind): Handler {
  return async ({ request, bucket, path, catalog }) => {
    const key = keyOf(kind, path);
    const coding = contentCoding(request.headers.get("Content-Encoding"), kind.compressionSetting);
    const body = await readBody(request, kind.maxBytes);
    const text = await checkedText(body, coding, kind);
    // The catalog first: from now on the object is deleted with its path, and no deletion under way removes it.
    await catalog((c) => c.announceCompanion(key, ownerOf(key, text)));
    await putSmall(bucket, key, body, {
      httpMetadata: { contentType: kind.contentType, ...(coding && { contentEncoding: coding }) },
    });
    return textLine(201, `stored ${key}`);
  };
}

/**
 * The decoded text of JSON, and an empty one for a log: only a log's decoded size is checked. Its decoded bytes must not
 * stay in memory, or a few compressed logs at once would fill it.
 */
async function checkedText(body: Uint8Array, coding: Coding | undefined, kind: Kind): Promise<string> {
  const plain = coding === undefined ? body : await decode(body, coding, kind.maxBytes);
  if (!isJson(kind)) return "";
  const text = decodeUtf8(plain);
  checkJsonObject(text, kind);
  return text;
}

function checkJsonObject(text: string, kind: Kind): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the body.
    throw new HttpError(400, `the ${kind.name} is not valid JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, `the ${kind.name} is not a JSON object`);
  }
}
