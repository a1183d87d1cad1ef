// This Worker's handler and the ten lines, with a bucket in memory that answers at once: the rest is the time of the
// code itself. One request makes many calls, because the clock of a Worker stands still while it computes.
import type { Env } from "../src/env.ts";
import { handle } from "../src/index.ts";
import baseline from "./baseline-worker.js";

const HIT = "0123456789abcdfghijklmnpqrsvwxyz";

const OBJECT = {
  key: `${HIT}.narinfo`,
  body: null,
  size: 1000,
  httpEtag: '"0123456789abcdef0123456789abcdef"',
  uploaded: new Date("2026-11-01T00:00:00Z"),
  httpMetadata: { contentType: "text/x-nix-narinfo" },
};

const find = async (key: string) => (key.includes(HIT) ? OBJECT : null);
const BUCKET = { get: find, head: find } as unknown as R2Bucket;

type Ask = (request: Request) => Promise<Response>;

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const { origin, searchParams } = new URL(request.url);
    const own: Env = { BUCKET, CATALOG: env.CATALOG, PUSH_TOKEN: "bench" };
    const handlers: Record<string, Ask> = {
      worker: (each) => handle(each, own, ctx),
      baseline: (each) => baseline.fetch(each, own),
    };
    const ask = handlers[searchParams.get("who") ?? ""];
    if (ask === undefined) return new Response("who?", { status: 400 });
    const method = searchParams.get("method") ?? "GET";
    const url = `${origin}${searchParams.get("path")}`;
    const headers = { "User-Agent": "curl/8.5.0 Nix/2.34.8", "Accept-Encoding": "gzip, deflate, br, zstd" };
    let status = 0;
    for (let left = Number(searchParams.get("calls")); left > 0; left--) {
      ({ status } = await ask(new Request(url, { method, headers })));
    }
    return new Response(String(status));
  },
} satisfies ExportedHandler<Env>;

export { Catalog } from "../src/catalog/catalog.ts";
