/** For every route a request that goes well, and what must be there for it: what the tests of all routes at once send. */

import { OPERATIONS } from "../../src/api/operations.ts";
import { isRealisationKey } from "../../src/bucket/companions.ts";
import {
  ADMIN_TOKEN,
  type Answer,
  cacheWith,
  type HeaderList,
  PUSH_TOKEN,
  store,
  type TestCache,
} from "./cache.ts";
import { METADATA } from "./objects.ts";
import { bodyOf, pathOf } from "./operations.ts";
import { compressedPath, push, testPath } from "./store-paths.ts";
import { begin, largeNar, sendAll } from "./upload.ts";

export interface Scene {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** As an example: `prepare` may give another. */
  readonly path: string;
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
  /** Makes what must be there; gives the path and the body of the request where they follow from it. */
  readonly prepare?: (well: TestCache) => Promise<Partial<Pick<Scene, "path" | "body">> | undefined>;
  /** Not as good as the first time, but as it should be, when it has been done already without an answer. */
  readonly again?: readonly number[];
  /** No request could go well here: what it needs is beyond the cache. */
  readonly isRefused?: true;
}

const library = await testPath("library-1.0");
const app = await testPath("app-1.0", "the NAR of app", {
  references: [library.info.storePath.baseName],
});
const unknown = await compressedPath("unknown-1.0");
const large = await largeNar(7);
const [part = new Uint8Array()] = large.parts;
const EXAMPLE_UPLOAD = "uploadId=00000000-0000-0000-0000-000000000000.x";
const EXAMPLE_TOKEN = "0".repeat(22);
const PIN = { store_path: `/nix/store/${library.info.storePath.baseName}` };

async function pushed(well: TestCache): Promise<undefined> {
  await push(well, library);
  await push(well, app);
}

/** As before there was a key. */
function unsigned(): Promise<undefined> {
  return pushed(cacheWith());
}

async function pinned(well: TestCache): Promise<undefined> {
  await pushed(well);
  await done(well, { method: "PUT", path: "/api/v1/pins/deployed", body: JSON.stringify(PIN) });
}

/** Listens to every run, so that there is something to tell of it. */
const ran = (name: string) => async (well: TestCache) => {
  await pushed(well);
  await done(well, { method: "POST", path: `/api/v1/${name}`, body: "" });
  return undefined;
};

const MINT = JSON.stringify({
  name: "laptop",
  permissions: ["push"],
  caches: ["nix-cache"],
  expires_in: 3600,
});

async function minted(well: TestCache): Promise<{ path: string }> {
  const { text } = await done(well, { method: "POST", path: "/api/v1/tokens", body: MINT });
  return { path: `/api/v1/tokens/${(JSON.parse(text) as { id: string }).id}` };
}

async function begun(well: TestCache): Promise<{ path: string }> {
  const id = await begin(well, large.key);
  return { path: `/${large.key}?partNumber=1&uploadId=${encodeURIComponent(id)}` };
}

async function sent(well: TestCache): Promise<{ path: string; body: string }> {
  const { uploadId, tags } = await sendAll(well, large);
  const parts = tags.map(
    ([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  return {
    path: `/${large.key}?uploadId=${encodeURIComponent(uploadId)}`,
    body: `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
  };
}

const withoutBody = async (make: Promise<{ path: string }>) => ({ path: (await make).path });

const OF_OBJECTS: readonly Scene[] = [
  { method: "GET", path: `/${app.key}`, prepare: pushed },
  { method: "GET", path: `/${app.narKey}`, prepare: pushed },
  { method: "PUT", path: `/${library.narKey}`, body: library.nar, again: [200] },
  {
    method: "PUT",
    path: `/${library.key}`,
    body: library.text,
    again: [200],
    prepare: async (well) => {
      await well.put(`/${library.narKey}`, library.nar);
      return undefined;
    },
  },
  {
    // All that may happen: a reference and a NAR that only the bucket knows, the latter without a checksum.
    method: "PUT",
    path: `/${unknown.key}`,
    body: unknown.text.replace("References: ", `References: ${library.info.storePath.baseName} `),
    again: [200],
    prepare: async () => {
      await store(library.narKey, library.nar);
      await store(library.key, library.text);
      await store(unknown.narKey, unknown.nar);
      return undefined;
    },
  },
  ...METADATA.flatMap(({ key, body }): Scene[] => [
    {
      method: "GET",
      path: `/${key}`,
      prepare: async () => {
        await store(key, body);
        return undefined;
      },
    },
    // The second realisation of a name is merged into the first.
    { method: "PUT", path: `/${key}`, body, ...(isRealisationKey(key) && { again: [200] }) },
  ]),
];

const OF_UPLOADS: readonly Scene[] = [
  { method: "POST", path: `/${large.key}?uploads` },
  { method: "PUT", path: `/${large.key}?${EXAMPLE_UPLOAD}`, prepare: begun, body: part },
  { method: "GET", path: `/${large.key}?${EXAMPLE_UPLOAD}`, prepare: (well) => withoutBody(sent(well)) },
  { method: "POST", path: `/${large.key}?${EXAMPLE_UPLOAD}`, prepare: sent },
  {
    method: "DELETE",
    path: `/${large.key}?${EXAMPLE_UPLOAD}`,
    prepare: (well) => withoutBody(sent(well)),
  },
];

const OF_THE_CACHE: readonly Scene[] = [
  { method: "GET", path: "/nix-cache-info" },
  { method: "PUT", path: "/nix-cache-info", body: "StoreDir: /nix/store\n" },
  { method: "GET", path: "/health" },
  { method: "GET", path: "/metrics", prepare: pushed },
  { method: "GET", path: "/?location" },
  { method: "GET", path: "/?list-type=2", prepare: pushed },
  { method: "PUT", path: "/?create-bucket", isRefused: true },
  { method: "GET", path: "/" },
];

const OF_THE_API: readonly Scene[] = [
  {
    method: "POST",
    path: "/missing",
    prepare: pushed,
    body: JSON.stringify({ paths: [app.info.storePath.hash] }),
  },
  { method: "DELETE", path: `/paths/${app.info.storePath.hash}`, prepare: pushed, again: [404] },
  {
    method: "DELETE",
    path: `/paths/${library.info.storePath.hash}?closure=referrers`,
    prepare: pushed,
    again: [404],
  },
  {
    method: "DELETE",
    path: `/paths/${library.info.storePath.hash}?closure=referrers&now=true`,
    prepare: pushed,
    again: [404],
  },
  // None has been asked for.
  { method: "GET", path: "/deletion", isRefused: true },
  { method: "GET", path: "/reindex", prepare: ran("reindex") },
  { method: "POST", path: "/check", prepare: pushed },
  { method: "POST", path: "/check", body: '{"repair": true}', prepare: pushed },
  { method: "GET", path: "/check", prepare: ran("check") },
  { method: "POST", path: "/resign", prepare: unsigned },
  { method: "GET", path: "/resign", prepare: ran("resign") },
  { method: "POST", path: "/tokens", body: MINT },
  { method: "POST", path: "/tokens/exchange", body: "{}", isRefused: true },
  { method: "GET", path: `/tokens/${EXAMPLE_TOKEN}`, prepare: minted },
  { method: "DELETE", path: `/tokens/${EXAMPLE_TOKEN}`, prepare: minted },
  { method: "PUT", path: "/pins/deployed", prepare: pushed, body: JSON.stringify(PIN) },
  { method: "POST", path: "/gc", prepare: pushed, body: "{}" },
  { method: "GET", path: "/gc", prepare: ran("gc") },
];

/** All other operations, with the examples of their schemas, in a cache that has two paths and a pin of one. */
const OF_OTHER_OPERATIONS: readonly Scene[] = OPERATIONS.filter(
  ({ method, pattern }) =>
    !OF_THE_API.some(
      (scene) => scene.method === method && pattern.test(`/api/v1${scene.path.replace(/\?.*/, "")}`),
    ),
).map((operation) => ({
  method: operation.method,
  path: pathOf(operation, { hash: app.info.storePath.hash, name: "deployed" }),
  body: operation.body && JSON.stringify(bodyOf(operation)),
  prepare: pinned,
  ...(operation.method === "DELETE" && { again: [404] }),
}));

const { hash } = app.info.storePath;
const LOGGED = METADATA.find(({ kind }) => kind === "log")?.key ?? "";

async function listed(well: TestCache): Promise<undefined> {
  await pushed(well);
  const root = { type: "directory", entries: { "index.html": { type: "regular", size: 3, narOffset: 0 } } };
  await store(`${hash}.ls`, JSON.stringify({ version: 1, root }));
  return undefined;
}

const OF_THE_PAGES: readonly Scene[] = [
  { method: "GET", path: "/_/" },
  // The name has a hash, which this is not.
  { method: "GET", path: "/_/style-0123456789ab.css", isRefused: true },
  { method: "GET", path: "/_/search", prepare: pushed },
  { method: "GET", path: "/_/search?q=app", prepare: pushed },
  { method: "GET", path: "/_/state", prepare: pinned },
  { method: "GET", path: `/_/path/${hash}`, prepare: pushed },
  {
    method: "GET",
    path: `/_/${LOGGED}`,
    prepare: async () => {
      await store(LOGGED, "building demo");
      return undefined;
    },
  },
  { method: "GET", path: `/_/files/${hash}/`, prepare: listed },
  { method: "GET", path: `/_/files/${hash}/index.html`, prepare: listed },
  { method: "GET", path: `/_/raw/${hash}/index.html`, prepare: listed },
  { method: "GET", path: `/_/serve/${hash}/`, prepare: listed },
];

const GIVEN: readonly Scene[] = [
  ...OF_THE_PAGES,
  ...OF_OBJECTS,
  ...OF_UPLOADS,
  ...OF_THE_CACHE,
  ...[...OF_THE_API, ...OF_OTHER_OPERATIONS].map((scene) => ({ ...scene, path: `/api/v1${scene.path}` })),
];

/** `HEAD` is derived from `GET`, for every route. */
export const SCENES: readonly Scene[] = [
  ...GIVEN,
  ...GIVEN.filter(({ method }) => method === "GET").map((scene) => ({ ...scene, method: "HEAD" as const })),
];

/** What must succeed before a scene begins. */
async function done(well: TestCache, request: Scene): Promise<Answer> {
  const answer = await send(well, request);
  if (answer.status >= 300) throw new Error(`${request.method} ${request.path}: ${answer.text}`);
  return answer;
}

/** Sends a scene's request with the token that may do everything. */
export function send(cache: TestCache, { method, path, body }: Scene): Promise<Answer> {
  const length: HeaderList = body === undefined ? {} : { "Content-Length": `${lengthOf(body)}` };
  const token = path.startsWith("/api/") ? ADMIN_TOKEN : PUSH_TOKEN;
  return cache.fetch(path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...length },
    ...(body !== undefined && { body }),
  });
}

function lengthOf(body: string | Uint8Array): number {
  return typeof body === "string" ? new TextEncoder().encode(body).length : body.length;
}
