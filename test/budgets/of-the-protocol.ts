/** Requests of Nix and of S3 tools. */
import { env } from "cloudflare:workers";
import { hashOf } from "../../bench/catalog-graph.ts";
import { METADATA, REALISATIONS } from "../support/objects.ts";
import { push, testPath } from "../support/store-paths.ts";
import { begin, complete, largeNar, sendAll, sendPart } from "../support/upload.ts";
import { type Asked, asPusher, newPath, pushAsNix, REFERENCES } from "./asked.ts";

const [known, fresh, absent, unknown] = await Promise.all([
  newPath("known-1"),
  newPath("fresh-1"),
  newPath("absent-1"),
  newPath("unknown-1", false),
]);
/** Of the upstream that the caches under test have. */
export const upstreamLibrary = await testPath("upstream-library-1");
const references = [upstreamLibrary.info.storePath.baseName];
const onUpstream = await testPath("on-upstream-1", undefined, { references });
const onUpstreamToo = await testPath("on-upstream-2", undefined, { references });
const large = await largeNar();
/** The upload that is completed. */
const upload = { id: "", tags: [] as readonly (readonly [number, string])[] };

export const OF_THE_PROTOCOL: readonly Asked[] = [
  {
    ...{ operation: "read", what: "miss", status: 404 },
    request: (on, { top }) => on.get(`/${hashOf(top)}.narinfo`),
  },
  {
    ...{ operation: "read", what: "hit", status: 200 },
    prepare: (on) => pushAsNix(on, known),
    request: (on) => on.get(`/${known.key}`),
  },
  {
    ...{ operation: "readByPusher", what: "narinfo", status: 200 },
    request: (on) => on.get(`/${known.key}`, asPusher),
  },
  {
    ...{ operation: "readByPusher", what: "NAR", status: 200 },
    request: (on) => on.head(`/${known.narKey}`, asPusher),
  },
  {
    ...{ operation: "missByPusher", what: "narinfo", status: 404 },
    request: (on) => on.head(`/${absent.key}`, asPusher),
  },
  {
    ...{ operation: "missByPusher", what: "NAR", status: 404 },
    request: (on) => on.head(`/${absent.narKey}`, asPusher),
  },
  {
    ...{ operation: "upstream", what: "GET", status: 200 },
    request: (on) => on.get(`/${upstreamLibrary.key}`, asPusher),
  },
  {
    ...{ operation: "upstream", what: "HEAD", status: 200 },
    request: (on) => on.head(`/${upstreamLibrary.key}`, asPusher),
  },
  {
    ...{ operation: "mirror", what: "asked for", status: 200 },
    request: (on) => on.get(`/${upstreamLibrary.key}`),
  },
  {
    ...{ operation: "mirror", what: "copied", status: 200 },
    prepare: () =>
      env.BUCKET.put(known.key, known.text, {
        customMetadata: { "pushed-by": "upstream:https://upstream.example.org" },
      }),
    request: (on) => on.get(`/${known.key}`),
  },
  {
    ...{ operation: "pushOnUpstream", what: "for the first time", status: 201, units: 1 },
    request: (on) => pushAsNix(on, onUpstream),
  },
  {
    ...{ operation: "pushOnUpstream", what: "again", status: 201, units: 1 },
    request: (on) => pushAsNix(on, onUpstreamToo),
  },
  { operation: "info", what: "front page", status: 200, request: (on) => on.get("/") },
  { operation: "info", what: "nix-cache-info", status: 200, request: (on) => on.get("/nix-cache-info") },
  { operation: "info", what: "cache", status: 200, request: (on) => on.get("/api/v1/cache") },
  { operation: "info", what: "openapi.json", status: 200, request: (on) => on.get("/api/v1/openapi.json") },
  { operation: "health", status: 200, request: (on) => on.get("/health") },
  { operation: "listForAnyone", status: 401, request: (on) => on.get("/?list-type=2") },
  { operation: "list", status: 200, request: (on) => on.get("/?list-type=2", asPusher) },
  { operation: "push", status: 201, units: REFERENCES, request: (on) => pushAsNix(on, fresh) },
  { operation: "pushAgain", status: 200, units: REFERENCES, request: (on) => push(on, fresh) },
  {
    ...{ operation: "unknownReferences", status: 409, units: REFERENCES },
    prepare: (on) => on.put(`/${unknown.narKey}`, unknown.nar),
    request: (on) => on.put(`/${unknown.key}`, unknown.text),
  },
  ...[...METADATA, ...REALISATIONS].map(
    ({ kind, key, body }): Asked => ({
      ...{ operation: "metadata", what: kind, status: [200, 201] },
      request: (on) => on.put(`/${key}`, body),
    }),
  ),
  {
    ...{ operation: "upload", what: "begin", status: 200 },
    request: (on) => on.fetch(`/${large.key}?uploads`, { method: "POST", headers: asPusher }),
  },
  {
    ...{ operation: "upload", what: "part", status: 200 },
    prepare: async (on) => {
      upload.id = await begin(on, large.key);
    },
    request: (on) => sendPart(on, large.key, upload.id, 1, large.parts[0] ?? new Uint8Array()),
  },
  {
    ...{ operation: "complete", status: 200, units: large.parts.length },
    prepare: async (on) => {
      const { uploadId: id, tags } = await sendAll(on, large);
      Object.assign(upload, { id, tags });
    },
    request: (on) => complete(on, large.key, upload.id, upload.tags),
  },
];
