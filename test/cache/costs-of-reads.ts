/** What requests for objects cost. */
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { store } from "../support/cache.ts";
import { HASH, OBJECTS } from "../support/objects.ts";
import type { Cost } from "./costs.ts";

const LOG = `log/${HASH}-demo.drv`;
const digits = () => store("nar/digits", "0123456789");

export const READS: Cost[] = [
  ...OBJECTS.flatMap(({ kind, key }): Cost[] => [
    {
      name: `GET ${kind}, hit`,
      status: 200,
      A: 0,
      B: 1,
      prepare: () => store(key, "x"),
      request: (on) => on.get(`/${key}`),
    },
    {
      name: `HEAD ${kind}, hit`,
      status: 200,
      A: 0,
      B: 1,
      prepare: () => store(key, "x"),
      request: (on) => on.head(`/${key}`),
    },
    { name: `GET ${kind}, miss`, status: 404, A: 0, B: 1, request: (on) => on.get(`/${key}`) },
    { name: `HEAD ${kind}, miss`, status: 404, A: 0, B: 1, request: (on) => on.head(`/${key}`) },
  ]),
  ...["bytes=0-0", "bytes=2-4", "bytes=2-", "bytes=-3", "bytes=-99", "bytes=0-1,3-4", "nonsense"].map(
    (Range): Cost => ({
      name: `GET, Range: ${Range}`,
      status: /^bytes=[0-9-]+$/.test(Range) ? 206 : 200,
      A: 0,
      B: 1,
      prepare: digits,
      request: (on) => on.get("/nar/digits", { Range }),
    }),
  ),
  ...[{ "If-None-Match": "*" }, { "If-None-Match": "*", Range: "bytes=0-1" }].map(
    (headers): Cost => ({
      name: `GET, ${JSON.stringify(headers)}`,
      status: 304,
      A: 0,
      B: 1,
      prepare: digits,
      request: (on) => on.get("/nar/digits", headers),
    }),
  ),
  {
    name: "GET, If-Match that does not hold",
    status: 412,
    A: 0,
    B: 1,
    prepare: digits,
    request: (on) => on.get("/nar/digits", { "If-Match": '"x"' }),
  },
  {
    name: "GET, If-Range that holds",
    status: 206,
    A: 0,
    B: 1,
    prepare: digits,
    request: async (on) => {
      const etag = (await env.BUCKET.head("nar/digits"))?.httpEtag ?? "";
      return on.get("/nar/digits", { Range: "bytes=0-1", "If-Range": etag });
    },
  },
  {
    name: "GET, decoded",
    status: 200,
    A: 0,
    B: 1,
    prepare: () => store(LOG, new Uint8Array(gzipSync("x")), { contentEncoding: "gzip" }),
    request: (on) => on.get(`/${LOG}`),
  },
];

/** A second operation where the first could not know: rare, and none of them is sent by Nix for a whole object. */
export const RARE_READS: Cost[] = [
  {
    name: "GET, a range past the end, whose answer needs the size",
    status: 416,
    A: 0,
    B: 2,
    prepare: digits,
    request: (on) => on.get("/nar/digits", { Range: "bytes=10-" }),
  },
  {
    name: "GET, an If-Range that does not hold, which gets the whole",
    status: 200,
    A: 0,
    B: 2,
    prepare: digits,
    request: (on) => on.get("/nar/digits", { Range: "bytes=0-1", "If-Range": '"x"' }),
  },
  {
    name: "GET, a range of what has to be decoded, which gets the whole",
    status: 200,
    A: 0,
    B: 2,
    prepare: () => store(LOG, new Uint8Array(gzipSync("x")), { contentEncoding: "gzip" }),
    request: (on) => on.get(`/${LOG}`, { Range: "bytes=0-1" }),
  },
];
