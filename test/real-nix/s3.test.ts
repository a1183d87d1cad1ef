// Nix's S3 store, which cuts large NARs into parts, against the cache's ordinary addresses.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, newClient, nixAtLeast, nixVersion, scratchDir } from "./nix.ts";
import { startProxy } from "./proxy.ts";
import { serve } from "./serve.ts";
import { startSigningProxy } from "./signing-proxy.ts";
import { addPath } from "./store-object.ts";

const MIB = 1024 * 1024;
const SIZE = 60;
const LARGE_MIB = 286;

/** From 2.33 on with the parameters used here; Debian builds it without the library that finds credentials. */
const hasS3 = nixVersion !== undefined && nixAtLeast(2, 33);

describe.skipIf(!hasS3)("Nix's S3 store", () => {
  const key = newKey("cache.test-1");
  const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: key.secret });

  const newPuller = () => newClient({ conf: [`trusted-public-keys = ${key.public}`] });

  test("with signed requests: a closure goes in, large NARs in parts, and comes out identical", async () => {
    const pusher = newClient();
    const top = await generateClosure(pusher, SIZE);
    const large = await addLarge(pusher, 12);
    const proxy = await startSigningProxy(server, { accessKeyId: "push", secretAccessKey: "push" });
    await pusher.nix("copy", "--to", storeUrl(proxy.port, 5 * MIB), top, large);
    const puller = newPuller();
    await puller.nix("copy", "--from", storeUrl(proxy.port), top, large);
    await proxy.stop();
    await expectSameClosure(pusher, puller, top, SIZE);
    await expectSameClosure(pusher, puller, large, 1);
    const steps = proxy.passed.map(({ query }) => query.replaceAll(/=[^&]*/g, ""));
    expect(steps.filter((query) => query !== "")).toEqual([
      "?uploads",
      ...Array.from({ length: 3 }, () => "?partNumber&uploadId"),
      "?uploadId",
    ]);
    expect(proxy.passed.filter(({ status }) => status >= 400 && status !== 404)).toEqual([]);
  });

  test("with the token in netrc, as for https: 300 MB in parts of 64 MiB, and nothing sent twice", async () => {
    const pusher = newClient({ token: "push" });
    const path = await addLarge(pusher, LARGE_MIB);
    const proxy = await startProxy(server);
    await pusher.nix("copy", "--to", storeUrl(Number(new URL(proxy.url).port), 64 * MIB), path);
    await proxy.stop();
    const parts = proxy.seen.filter(({ path }) => path.includes("partNumber="));
    expect(parts.map(({ method, status }) => [method, status])).toEqual(
      Array.from({ length: Math.ceil((LARGE_MIB + 1) / 64) }, () => ["PUT", 200]),
    );

    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    expect(await sha256(puller.root + path)).toBe(await sha256(pusher.root + path));
  });

  test("without a token it is refused", async () => {
    const pusher = newClient();
    const file = pusher.write("small", "x");
    const path = await addPath(pusher, file, "small");
    const { code, stderr } = await pusher.run("copy", "--to", storeUrl(server.port, 64 * MIB), path);
    expect(code).not.toBe(0);
    expect(stderr).toContain("401");
  });
});

/** As the README says, but over http. */
function storeUrl(port: number, partBytes?: number): string {
  const store = `s3://nix-cache?endpoint=http://127.0.0.1:${port}&region=auto`;
  if (partBytes === undefined) return store;
  return `${store}&compression=none&multipart-upload=true&multipart-chunk-size=${partBytes}&multipart-threshold=${partBytes}`;
}

/** Adds a file of noise. */
async function addLarge(client: Client, mib: number): Promise<string> {
  const file = join(scratchDir(), "large");
  const pieces = function* () {
    for (let piece = 0; piece < mib; piece++) yield randomBytes(MIB);
  };
  await pipeline(Readable.from(pieces()), createWriteStream(file));
  return addPath(client, file, "large");
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}
