// What S3 tools ask of a bucket before they copy it: where it is, and what is in it.
import { type ListedObject, listDocument, listDocumentV1, locationDocument } from "../http/xml.ts";
import type { Handler } from "../routes.ts";
import { xmlResponse } from "./answer.ts";
import { type KeyPage, listKeys } from "./list.ts";
import { numberOf } from "./parameters.ts";

const MAX_KEYS = 1000;

/** Parameters by which a listing is told from the front page. */
export const LIST_PARAMETERS = ["list-type", "prefix", "delimiter", "max-keys", "marker", "encoding-type"];

/** Answers `GET /<bucket>?location`. */
export const getLocation: Handler = async () => xmlResponse(locationDocument());

/** Answers `GET /<bucket>?list-type=2`, and the listing of the first version, which some tools still ask for. */
export const listObjects: Handler = async ({ bucket, config, query }) => {
  const parameters = new URLSearchParams(query);
  const text = (name: string) => parameters.get(name) ?? "";
  const [prefix, delimiter, marker] = [text("prefix"), text("delimiter"), text("marker")];
  const [startAfter, cursor] = [text("start-after"), text("continuation-token")];
  const isV2 = text("list-type") === "2";
  const maxKeys = Math.min(numberOf(parameters, "max-keys", MAX_KEYS), MAX_KEYS);
  const after = isV2 ? cursor || startAfter : marker;
  const page: KeyPage =
    maxKeys === 0
      ? { objects: [], prefixes: [] }
      : await listKeys(bucket, { prefix, delimiter, after }, maxKeys);
  const listing = {
    bucket: config.cacheName,
    prefix,
    delimiter,
    maxKeys,
    isTruncated: page.next !== undefined,
    encodeUrl: text("encoding-type") === "url",
    objects: page.objects.map(listed),
    commonPrefixes: page.prefixes,
  };
  return xmlResponse(
    isV2
      ? listDocument({ ...listing, startAfter, cursor, nextCursor: page.next })
      : listDocumentV1({ ...listing, marker, nextMarker: page.next }),
  );
};

function listed({ key, size, etag, uploaded }: R2Object): ListedObject {
  return { key, size, etag, lastModified: uploaded };
}
