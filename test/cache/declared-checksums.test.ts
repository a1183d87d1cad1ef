/** Content-MD5 and x-amz-checksum-*: checked on every PUT, whatever it is of, before anything is stored. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { signed, type Unsigned } from "../auth/sigv4/signer.ts";
import { checksum, encode } from "../http/aws-chunked-encoder.ts";
import {
  ADMIN_TOKEN,
  type Answer,
  cacheWith,
  contents,
  type HeaderList,
  keys,
  PUSH_TOKEN,
} from "../support/cache.ts";
import { rowsOf } from "../support/catalog.ts";
import { captureLog } from "../support/log.ts";
import { SCENES, type Scene } from "../support/scenes.ts";
import { testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith({ ADMIN_TOKEN, TOKEN_SECRET: "x".repeat(32) });
const HEADERS = [
  "Content-MD5",
  ...["crc32", "crc32c", "crc64nvme", "sha1", "sha256"].map((name) => `x-amz-checksum-${name}`),
];
const PUTS = SCENES.filter(({ method, isRefused }) => method === "PUT" && !isRefused);
const path = await testPath();
const PUT_NAR: Scene = { method: "PUT", path: `/${path.narKey}`, body: path.nar };

function bytesOf({ body = "" }: Scene): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(typeof body === "string" ? new TextEncoder().encode(body) : body);
}

function send(scene: Scene, headers: HeaderList): Promise<Answer> {
  const body = bytesOf(scene);
  const token = scene.path.startsWith("/api/") ? ADMIN_TOKEN : PUSH_TOKEN;
  return cache.fetch(scene.path, {
    method: "PUT",
    body,
    headers: { Authorization: `Bearer ${token}`, "Content-Length": `${body.length}`, ...headers },
  });
}

describe.each(PUTS.map((scene) => [scene.path, scene] as const))("PUT %s", (_, example) => {
  async function prepared(): Promise<Scene> {
    return { ...example, ...(await example.prepare?.(cache)) };
  }

  test.each(HEADERS)("%s", async (header) => {
    const scene = await prepared();
    const right = checksum(header.toLowerCase(), bytesOf(scene));
    const wrong = checksum(header.toLowerCase(), new TextEncoder().encode("other bytes"));
    const before = await contents();
    const bad = await send(scene, { [header]: wrong });
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining(header.toLowerCase())]);
    for (const value of [
      "",
      "x",
      `${right}=`,
      right.slice(4),
      `${right}, ${right}`,
      "!".repeat(right.length),
    ]) {
      const malformed = await send(scene, { [header]: value });
      expect([value, malformed.status]).toEqual([value, 400]);
    }
    expect(await contents()).toEqual(before);
    const good = await send(scene, { [header]: right });
    expect(good.status, good.text).toBeLessThan(300);
  });
});

test("nothing is published for a body that is not the declared one", async () => {
  await cache.put(`/${path.narKey}`, path.nar);
  const scene: Scene = { method: "PUT", path: `/${path.key}`, body: path.text };
  expect((await send(scene, { "Content-MD5": checksum("content-md5", path.nar) })).status).toBe(400);
  expect(await rowsOf("SELECT hash FROM paths")).toEqual([]);
});

test.each(["md5", "sha512", "xxhash64"])(
  "x-amz-checksum-%s cannot be checked, so it is refused",
  async (name) => {
    const answer = await send(PUT_NAR, { [`x-amz-checksum-${name}`]: "AAAAAA==" });
    expect([answer.status, await keys()]).toEqual([400, []]);
  },
);

test.each(["algorithm", "type", "mode"])("x-amz-checksum-%s is none", async (name) => {
  expect((await send(PUT_NAR, { [`x-amz-checksum-${name}`]: "CRC32" })).status).toBe(201);
});

test("of several all must be right", async () => {
  const [md5, crc] = ["content-md5", "x-amz-checksum-crc32"].map((name) => checksum(name, path.nar));
  expect((await send(PUT_NAR, { "Content-MD5": md5 ?? "", "x-amz-checksum-crc32": "AAAAAA==" })).status).toBe(
    400,
  );
  expect((await send(PUT_NAR, { "Content-MD5": md5 ?? "", "x-amz-checksum-crc32": crc ?? "" })).status).toBe(
    201,
  );
});

test.each(HEADERS)("%s is compared although the NAR is here already", async (header) => {
  await cache.put(`/${path.narKey}`, path.nar);
  const wrong = checksum(header.toLowerCase(), new Uint8Array(1));
  expect((await send(PUT_NAR, { [header]: wrong })).status).toBe(400);
  expect((await send(PUT_NAR, { [header]: checksum(header.toLowerCase(), path.nar) })).status).toBe(200);
});

test("a body that is shorter or longer than its Content-Length is refused, too", async () => {
  const md5 = checksum("content-md5", path.nar);
  for (const length of [path.nar.length - 1, path.nar.length + 1]) {
    const headers = { "Content-MD5": md5, "Content-Length": `${length}` };
    expect(
      (await send({ ...PUT_NAR, path: `/log/${path.info.storePath.baseName}.drv` }, headers)).status,
    ).toBe(400);
  }
  expect(await keys()).toEqual([]);
});

describe("to S3 clients it is said with S3's codes", () => {
  const put = (headers: HeaderList, body = path.nar): Unsigned => ({
    method: "PUT",
    host: "cache.example.org",
    path: `/nix-cache/${path.narKey}`,
    headers: { "content-length": `${body.length}`, ...headers },
    payloadHash: "UNSIGNED-PAYLOAD",
    body,
  });
  async function code(unsigned: Unsigned): Promise<string> {
    const request = signed(unsigned, { time: Date.now(), accessKey: "push", secret: PUSH_TOKEN });
    const { method, headers } = request;
    const answer = await cache.fetch(new URL(request.url).pathname, {
      method,
      headers,
      body: await request.bytes(),
    });
    return /<Code>(\w+)<\/Code>/.exec(answer.text)?.[1] ?? `${answer.status}`;
  }

  test.each(HEADERS.map((name) => name.toLowerCase()))("%s", async (header) => {
    expect(await code(put({ [header]: "AA" }))).toBe("InvalidDigest");
    expect(await code(put({ [header]: checksum(header, new Uint8Array(1)) }))).toBe("BadDigest");
    expect(await keys()).toEqual([]);
    expect(await code(put({ [header]: checksum(header, path.nar) }))).toBe("200");
  });

  test("also in a trailer, of a NAR that is here already", async () => {
    const trailer = "x-amz-checksum-crc32c";
    const body = Uint8Array.from(encode(path.nar, { sizes: [8], trailers: [trailer] }));
    const broken = body.with(-12, body.at(-12) === 65 ? 66 : 65);
    const chunked = (sent: Uint8Array<ArrayBuffer>): Unsigned => ({
      ...put(
        {
          "content-encoding": "aws-chunked",
          "x-amz-decoded-content-length": `${path.nar.length}`,
          "x-amz-trailer": trailer,
        },
        sent,
      ),
      payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    });
    await cache.put(`/${path.narKey}`, path.nar);
    expect(await code(chunked(body))).toBe("200");
    expect(await code(chunked(broken))).toBe("BadDigest");
  });
});
