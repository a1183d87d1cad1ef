// The ten lines with this Worker's answers: the same headers, the same line of text for a miss, the same kind of
// entrypoint. It shows which part of the difference to the ten lines is due to the answers.
import { WorkerEntrypoint } from "cloudflare:workers";
import { KINDS, NARINFO } from "../src/bucket/kinds.ts";
import { errorResponse, HttpError } from "../src/http/errors.ts";
import baseline from "./baseline-worker.js";

export default class extends WorkerEntrypoint<{ BUCKET: R2Bucket }> {
  override async fetch(request: Request): Promise<Response> {
    if (request.method !== "GET") return baseline.fetch(request, this.env);
    const key = new URL(request.url).pathname.slice(1);
    const object = await this.env.BUCKET.get(key);
    if (object === null) return errorResponse(new HttpError(404, "no such narinfo in this cache"));
    const { contentType, cacheControl } = KINDS.find(({ pattern }) => pattern.test(key)) ?? NARINFO;
    return new Response(object.body, {
      headers: {
        "Content-Type": contentType,
        "Cache-Control": cacheControl,
        ETag: object.httpEtag,
        "Last-Modified": object.uploaded.toUTCString(),
        "Accept-Ranges": "bytes",
        "Content-Length": String(object.size),
      },
    });
  }
}
