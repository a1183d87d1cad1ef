/** What a write costs, as design.md's table "What a request may cost" allows. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach } from "vitest";
import { cacheWith, store } from "../support/cache.ts";
import { type Cost, describeCosts } from "../support/cost.ts";
import { captureLog } from "../support/log.ts";
import { METADATA } from "../support/objects.ts";
import { compressedPath, push, testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const path = await testPath();
const otherBuild = await testPath("hello-1.0", "another build");
const unknown = await compressedPath("unknown");
const signed = `${path.text}Sig: a-1:${new Uint8Array(64).toBase64()}\n`;

const WRITES: Cost[] = [
  { name: "PUT nar", status: 201, A: 1, B: 1, request: (on) => on.put(`/${path.narKey}`, path.nar) },
  {
    name: "PUT nar, there already",
    status: 200,
    A: 0,
    B: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.narKey}`, path.nar),
  },
  { name: "PUT nar, wrong", status: 400, A: 1, B: 1, request: (on) => on.put(`/${path.narKey}`, "wrong") },
  {
    name: "PUT narinfo",
    status: 201,
    A: 1,
    // One more than the table until the catalog exists (issue 2).
    B: 2,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo, signed with two keys",
    status: 201,
    A: 1,
    B: 2,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo, there already",
    status: 200,
    A: 0,
    B: 2,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo, with a new signature",
    status: 200,
    A: 1,
    B: 2,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo of another build",
    status: 200,
    A: 0,
    B: 2,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${otherBuild.key}`, otherBuild.text),
  },
  {
    name: "PUT narinfo without its NAR",
    status: 409,
    A: 0,
    B: 2,
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  { name: "PUT narinfo, malformed", status: 400, A: 0, B: 0, request: (on) => on.put(`/${path.key}`, "x") },
  ...METADATA.map(
    ({ kind, key, body }): Cost => ({
      name: `PUT ${kind}`,
      status: 201,
      A: 1,
      B: 0,
      request: (on) => on.put(`/${key}`, body),
    }),
  ),
];

/** Once in the life of an object. */
const RARE_WRITES: Cost[] = [
  {
    name: "PUT narinfo whose NAR has no checksum: hashed by the bucket, once",
    status: 201,
    A: 2,
    B: 3,
    prepare: () => store(unknown.narKey, unknown.nar),
    request: (on) => on.put(`/${unknown.key}`, unknown.text),
  },
  {
    name: "PUT narinfo over one whose NAR has gone",
    status: 200,
    A: 1,
    B: 3,
    prepare: async () => {
      await push(cache, otherBuild);
      await env.BUCKET.delete(otherBuild.narKey);
      await cache.put(`/${path.narKey}`, path.nar);
    },
    request: (on) => on.put(`/${path.key}`, path.text),
  },
];

describeCosts([...WRITES, ...RARE_WRITES]);
