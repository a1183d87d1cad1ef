// Which requests a NAR goes in: one while the way to the cache takes that, and parts above it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, expect, test } from "vitest";
import { Failure } from "../../src/client/ground/failure.ts";
import type { Cache } from "../../src/client/http/api.ts";
import type { Request } from "../../src/client/http/transport.ts";
import type { Spool } from "../../src/client/push/spool.ts";
import { narUploader } from "../../src/client/push/upload.ts";
import { uploadStates } from "../../src/client/push/upload-state.ts";

const scratch = mkdtempSync(join(tmpdir(), "nix-cache-upload-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const MB = 1_000_000;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const REMOTE = "https://cache.example.org";
const LOCAL = "http://localhost:8787/team";

let caches = 0;
/** A cache in front of which no body above `limit` bytes is taken. */
function standing(url: string, limit = Infinity) {
  caches += 1;
  const env = { XDG_CACHE_HOME: join(scratch, String(caches)) };
  const requests: Request[] = [];
  const xml: Readonly<Record<string, string>> = { POST: "<UploadId>new</UploadId>" };
  const cache: Pick<Cache, "send" | "settings"> = {
    settings: { url, token: "t", tokenFrom: undefined },
    send: async (request) => {
      requests.push(request);
      if (request.method === "PUT" && sizeOf(request) > limit) throw new Failure("refused", "413", 413);
      const status = request.method === "HEAD" ? 404 : 200;
      return { status, headers: { etag: '"e"' }, body: Buffer.from(xml[request.method] ?? "") };
    },
  };
  const upload = async (key: string, size: number, partSize?: number) => {
    const spool: Spool = {
      size,
      write: () => undefined,
      read: () => Readable.from([]),
      close: () => undefined,
    };
    await narUploader(cache, { partSize, env, onBytes: () => undefined })(key, spool);
    return requests
      .splice(0)
      .filter(({ method }) => method === "PUT")
      .map(sizeOf);
  };
  return { upload, requests, states: uploadStates(url, env) };
}

function sizeOf({ body }: Request): number {
  return typeof body === "object" && "open" in body ? body.size : 0;
}

test.each<[string, string, number, number | undefined, readonly number[]]>([
  ["what Cloudflare takes", REMOTE, 95 * MB, undefined, [95 * MB]],
  ["more than that", REMOTE, 95 * MB + 1, undefined, [64 * MIB, 95 * MB + 1 - 64 * MIB]],
  ["more than a size that was asked for", REMOTE, 90 * MB, 50 * MB, [50 * MB, 40 * MB]],
  ["less than one that was asked for", REMOTE, 140 * MIB, 150 * MIB, [140 * MIB]],
  ["a cache of this machine", LOCAL, GIB, undefined, [GIB]],
  ["one by its address", "http://127.0.0.1:8787", GIB, undefined, [GIB]],
  ["one by its IPv6 address", "http://[::1]:8787", GIB, undefined, [GIB]],
  ["one by a name below localhost", "http://cache.localhost", GIB, undefined, [GIB]],
  [
    "a host whose name only begins so",
    "http://localhost.example.org",
    128 * MIB,
    undefined,
    [64 * MIB, 64 * MIB],
  ],
  ["a size that was asked for on this machine", LOCAL, 128 * MIB, 64 * MIB, [64 * MIB, 64 * MIB]],
])("%s", async (_, url, size, partSize, sizes) => {
  expect(await standing(url).upload("nar/x.nar", size, partSize)).toEqual(sizes);
});

test("above a gigabyte an upload can be resumed, on this machine too", async () => {
  expect((await standing(LOCAL).upload("nar/x.nar", GIB + 1)).slice(0, 3)).toEqual([
    64 * MIB,
    64 * MIB,
    64 * MIB,
  ]);
});

test("parts where a proxy takes less than the cache", async () => {
  const { upload } = standing(LOCAL, 64 * MIB);
  expect(await upload("nar/x.nar", 100 * MIB)).toEqual([100 * MIB, 64 * MIB, 36 * MIB]);
  await expect(standing(LOCAL, MIB).upload("nar/x.nar", 10 * MIB)).rejects.toMatchObject({ status: 413 });
});

test("an upload in parts that broke off goes on in parts, whatever the size", async () => {
  const { upload, states } = standing(REMOTE);
  states.set("nar/x.nar", { uploadId: "old", partSize: 5 * MIB });
  expect(await upload("nar/x.nar", 10 * MIB)).toEqual([5 * MIB, 5 * MIB]);
  expect(states.get("nar/x.nar")).toBeUndefined();
});

test("the parts of an upload that has just begun are not asked for", async () => {
  const { upload, requests, states } = standing(REMOTE);
  const asked: string[] = [];
  const push = requests.push.bind(requests);
  requests.push = (request) => {
    asked.push(request.method);
    return push(request);
  };
  await upload("nar/x.nar", 100 * MIB);
  expect(asked).toEqual(["HEAD", "POST", "PUT", "PUT", "POST"]);
  states.set("nar/y.nar", { uploadId: "old", partSize: 64 * MIB });
  asked.length = 0;
  await upload("nar/y.nar", 100 * MIB);
  expect(asked).toEqual(["HEAD", "GET", "PUT", "PUT", "POST"]);
});
