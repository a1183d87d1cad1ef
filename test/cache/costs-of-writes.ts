/** What pushes cost, and what a pusher asks before. */
import { env } from "cloudflare:workers";
import { cacheWith, PUSH_TOKEN, store } from "../support/cache.ts";
import { signatureBy } from "../support/catalog.ts";
import { METADATA, REALISATIONS, withSignatures } from "../support/objects.ts";
import { compressedPath, push, testPath } from "../support/store-paths.ts";
import type { Cost } from "./costs.ts";

const cache = cacheWith();
const path = await testPath();
const otherBuild = await testPath("hello-1.0", "another build");
const large = await testPath("large-1.0", "x".repeat(64 * 1024));
const unknown = await compressedPath("unknown");
const referring = await testPath("referring-1.0", "referring", {
  references: [path.info.storePath.baseName],
});
const signed = `${path.text}Sig: a-1:${new Uint8Array(64).toBase64()}\n`;

/** Of a pusher, who asks before uploading and relies on the answer. */
const asPusher = { Authorization: `Bearer ${PUSH_TOKEN}` };

export const WRITES: Cost[] = [
  {
    name: "HEAD nar by a pusher, hit",
    status: 200,
    A: 0,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.head(`/${path.narKey}`, asPusher),
  },
  {
    name: "HEAD nar by a pusher, miss",
    status: 404,
    A: 0,
    B: 1,
    request: (on) => on.head(`/${path.narKey}`, asPusher),
  },
  {
    name: "HEAD narinfo by a pusher",
    status: 404,
    A: 0,
    B: 1,
    request: (on) => on.head(`/${path.key}`, asPusher),
  },
  {
    // What the cache in front makes of a HEAD.
    name: "GET nar by a pusher, miss",
    status: 404,
    A: 0,
    B: 1,
    request: (on) => on.get(`/${path.narKey}`, asPusher),
  },
  {
    name: "PUT nar",
    status: 201,
    A: 1,
    B: 0,
    calls: 1,
    request: (on) => on.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT nar above 64 KiB",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    request: (on) => on.put(`/${large.narKey}`, large.nar),
  },
  {
    name: "PUT nar, there already",
    status: 200,
    A: 0,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT nar, wrong",
    status: 400,
    A: 1,
    B: 0,
    calls: 1,
    request: (on) => on.put(`/${path.narKey}`, "wrong"),
  },
  {
    name: "PUT narinfo",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT nar and narinfo, one after the other",
    status: 201,
    A: 2,
    B: 0,
    calls: 2,
    request: (on) => push(on, path),
  },
  {
    name: "PUT narinfo with references",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    prepare: async () => {
      await push(cache, path);
      await cache.put(`/${referring.narKey}`, referring.nar);
    },
    request: (on) => on.put(`/${referring.key}`, referring.text),
  },
  {
    name: "PUT narinfo, signed with two keys",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo, there already: a put that holds only where it is there no more",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo, with a new signature",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo of another build",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${otherBuild.key}`, otherBuild.text),
  },
  {
    name: "PUT narinfo without its NAR",
    status: 409,
    A: 0,
    B: 1,
    calls: 1,
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  { name: "PUT narinfo, malformed", status: 400, A: 0, B: 0, request: (on) => on.put(`/${path.key}`, "x") },
  ...METADATA.map(
    ({ kind, key, body }): Cost => ({
      name: `PUT ${kind}`,
      status: 201,
      A: 1,
      B: 0,
      calls: 1,
      request: (on) => on.put(`/${key}`, body),
    }),
  ),
  ...REALISATIONS.flatMap(({ kind, key, body }): Cost[] => [
    {
      name: `PUT ${kind}, there already`,
      status: 200,
      A: 0,
      B: 1,
      calls: 1,
      prepare: () => cache.put(`/${key}`, body),
      request: (on) => on.put(`/${key}`, body),
    },
    {
      name: `PUT ${kind}, with a new signature`,
      status: 200,
      A: 1,
      B: 1,
      calls: 1,
      prepare: () => cache.put(`/${key}`, body),
      request: (on) => on.put(`/${key}`, withSignatures(body, signatureBy("a-1"))),
    },
    {
      name: `PUT ${kind} of another output`,
      status: 200,
      A: 0,
      B: 1,
      calls: 1,
      prepare: async () => {
        await push(cache, path);
        await cache.put(`/${key}`, ofPath(body, path.info.storePath.baseName));
      },
      request: (on) => on.put(`/${key}`, body),
    },
    { name: `PUT ${kind}, malformed`, status: 400, A: 0, B: 0, request: (on) => on.put(`/${key}`, "{}") },
  ]),
];

function ofPath(realisation: string, outPath: string): string {
  return JSON.stringify({ ...JSON.parse(realisation), outPath });
}

/** Once in the life of an object, or where something is wrong. */
export const RARE_WRITES: Cost[] = [
  {
    name: "PUT nar that another tool has put there, unknown to the catalog",
    status: 201,
    A: 2,
    B: 1,
    calls: 1,
    prepare: () => store(path.narKey, path.nar),
    request: (on) => on.put(`/${path.narKey}`, path.nar),
  },
  ...REALISATIONS.flatMap(({ kind, key, body }): Cost[] => [
    {
      name: `PUT ${kind} of another output, the first being here no more`,
      status: 200,
      A: 1,
      B: 2,
      calls: 1,
      prepare: () => cache.put(`/${key}`, ofPath(body, path.info.storePath.baseName)),
      request: (on) => on.put(`/${key}`, body),
    },
    {
      name: `PUT ${kind} over one that another tool has written`,
      status: 200,
      A: 2,
      B: 1,
      calls: 1,
      prepare: () => store(key, body),
      request: (on) => on.put(`/${key}`, withSignatures(body, signatureBy("a-1"))),
    },
  ]),
  {
    name: "PUT narinfo whose NAR has no checksum: hashed by the bucket, once",
    status: 201,
    A: 2,
    B: 2,
    calls: 1,
    prepare: () => store(unknown.narKey, unknown.nar),
    request: (on) => on.put(`/${unknown.key}`, unknown.text),
  },
  {
    name: "PUT narinfo over one whose NAR has gone",
    status: 200,
    A: 1,
    B: 2,
    calls: 1,
    prepare: async () => {
      await push(cache, otherBuild);
      await env.BUCKET.delete(otherBuild.narKey);
      await cache.put(`/${path.narKey}`, path.nar);
    },
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo over one that has gone",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: async () => {
      await push(cache, path);
      await env.BUCKET.delete(path.key);
    },
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo over one that another tool has written",
    status: 200,
    A: 2,
    B: 3,
    calls: 1,
    prepare: async () => {
      await cache.put(`/${path.narKey}`, path.nar);
      await store(path.key, path.text);
    },
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo with a reference that only the bucket knows",
    status: 201,
    A: 1,
    B: 2,
    calls: 1,
    prepare: async () => {
      await store(path.key, path.text);
      await cache.put(`/${referring.narKey}`, referring.nar);
    },
    request: (on) => on.put(`/${referring.key}`, referring.text),
  },
  {
    name: "PUT narinfo with a reference that is not there: looked up before it is refused",
    status: 409,
    A: 0,
    B: 2,
    calls: 1,
    prepare: () => cache.put(`/${referring.narKey}`, referring.nar),
    request: (on) => on.put(`/${referring.key}`, referring.text),
  },
];
