// Uploading a realisation or build trace: the checks that need nothing else in the cache. The catalog does the rest.
import { type Kind, keyOf, SMALL_JSON } from "../bucket/kinds.ts";
import type { Handler } from "../context.ts";
import type { PublishOutcome } from "../contract/paths.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { contentCoding, decode } from "../http/encodings.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { scanJson } from "../http/json-scanner.ts";
import { FormatError } from "../nix/format-error.ts";
import { parseRealisation } from "../nix/realisation.ts";
import { published } from "./published.ts";

/** Answers PUT of a realisation: parsed here, trusted, signed and published by the catalog. */
export function putRealisation(kind: Kind): Handler {
  return async ({ request, path, catalog, identity }) => {
    const key = keyOf(kind, path);
    const coding = contentCoding(request.headers.get("Content-Encoding"), kind.compressionSetting);
    const body = await readBody(request, kind.maxBytes);
    const plain = coding === undefined ? body : await decode(body, coding, kind.maxBytes);
    // Its form is checked below, by field.
    scanJson(plain, SMALL_JSON, `${kind.name}: it`);
    const text = decodeUtf8(plain);
    checkRealisation(kind, key, text);
    const { outcome, headers } = await published(
      request,
      key,
      (condition) => catalog((c) => c.publishRealisationIf(key, text, identity.name, condition)),
      () => catalog((c) => c.publishRealisation(key, text, identity.name)),
    );
    return textLine(outcome === "created" ? 201 : 200, MESSAGES[outcome](key), headers);
  };
}

const MESSAGES: Record<PublishOutcome, (key: string) => string> = {
  created: (key) => `stored ${key}`,
  updated: (key) => `${key} was here and has been brought up to date`,
  unchanged: (key) => `${key} is already here`,
  "kept-existing": (key) =>
    `${key} is already here with another output: it is not reproducible, and the first build stays`,
};

/** Throws {@link HttpError} 400. */
function checkRealisation(kind: Kind, key: string, text: string): void {
  try {
    parseRealisation(key, text);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `${kind.name}: ${error.message}`);
    throw error;
  }
}
