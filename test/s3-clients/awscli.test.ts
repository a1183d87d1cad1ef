// The AWS CLI, against a private cache.
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { scratchDir } from "../real-nix/nix.ts";
import { serve } from "../real-nix/serve.ts";
import { makeFileCache } from "./file-cache.ts";
import { digestOf, MIB, makeNoise } from "./noise.ts";
import { aws, awsEnv } from "./programs.ts";

/** Beyond the CLI's `multipart_threshold`, and no multiple of its `multipart_chunksize`. */
const LARGE_BYTES = 40 * MIB + 5;

aws.describe("the AWS CLI", () => {
  const server = serve({ PUSH_TOKEN: "push-token", PULL_TOKEN: "pull-token" });
  let run: (...args: string[]) => Promise<string>;

  beforeAll(() => {
    const env = awsEnv("push-token", "s3 =", "  multipart_threshold = 16MB", "  multipart_chunksize = 16MB");
    run = (...args) => aws.run(env, "--endpoint-url", server.url, ...args);
  });

  test("sends a large NAR in parts, lists it, reads it by a pre-signed URL", async () => {
    const noise = makeNoise(LARGE_BYTES);
    const file = join(scratchDir(), "noise");
    await writeFile(file, noise.stream());
    await run("s3", "cp", "--no-progress", file, `s3://nix-cache/${noise.key}`);
    expect(await run("s3", "ls")).toMatch(/ nix-cache\n$/);
    expect(await run("s3", "ls", "s3://nix-cache/")).toMatch(/PRE nar\/\n/);
    expect(await run("s3", "ls", "s3://nix-cache/nar/")).toContain(
      `${LARGE_BYTES} ${noise.key.slice("nar/".length)}\n`,
    );

    expect((await fetch(`${server.url}/${noise.key}`)).status).toBe(401);
    const url = (await run("s3", "presign", `s3://nix-cache/${noise.key}`, "--expires-in", "60")).trim();
    const answer = await fetch(url);
    expect(answer.status).toBe(200);
    expect(await digestOf(answer.body ?? [])).toEqual({ sha256: noise.sha256, bytes: LARGE_BYTES });
    expect((await fetch(url.replace(/nar\.xz/, "nar.zst"))).status).toBe(403);
  });

  test("copies a cache in and out", async () => {
    const cache = makeFileCache(1);
    const out = scratchDir();
    for (const key of [...cache.nars, ...cache.narInfos]) {
      await run("s3", "cp", "--no-progress", join(cache.dir, key), `s3://nix-cache/${key}`);
    }
    await run("s3", "sync", "--no-progress", "s3://nix-cache", out);
    for (const key of cache.nars) {
      expect(readFileSync(join(out, key)).equals(readFileSync(join(cache.dir, key))), key).toBe(true);
    }
    for (const key of cache.narInfos) {
      expect(readFileSync(join(out, key), "utf8")).toBe(readFileSync(join(cache.dir, key), "utf8"));
    }
  });

  test("lists the parts of an upload, and aborts it", async () => {
    const { key, part } = makeNoise(6 * MIB);
    const file = join(scratchDir(), "part");
    writeFileSync(file, part(0, 5 * MIB));
    const of = ["--bucket", "nix-cache", "--key", key];
    const { UploadId } = JSON.parse(await run("s3api", "create-multipart-upload", ...of));
    const upload = [...of, "--upload-id", UploadId];
    const { ETag } = JSON.parse(
      await run("s3api", "upload-part", ...upload, "--part-number", "2", "--body", file),
    );
    const { Parts } = JSON.parse(await run("s3api", "list-parts", ...upload));
    expect(Parts).toMatchObject([{ PartNumber: 2, Size: 5 * MIB, ETag }]);
    await run("s3api", "abort-multipart-upload", ...upload);
    await expect(run("s3api", "list-parts", ...upload)).rejects.toThrow("NoSuchUpload");
  });

  test("keeps what was pushed encoded, and says what is not implemented", async () => {
    const key = `log/${"0".repeat(32)}-aws.drv`;
    const encoded = brotliCompressSync("building\n".repeat(1000));
    const headers = { Authorization: "Bearer push-token", "Content-Encoding": "br" };
    const body = new Uint8Array(encoded);
    expect((await fetch(`${server.url}/${key}`, { method: "PUT", headers, body })).status).toBe(201);
    const out = scratchDir();
    await run("s3", "cp", "--no-progress", `s3://nix-cache/${key}`, join(out, "log"));
    expect(readFileSync(join(out, "log")).equals(encoded)).toBe(true);
    await run("s3", "sync", "--no-progress", "s3://nix-cache/log/", out);
    expect(await run("s3", "sync", "--no-progress", "s3://nix-cache/log/", out)).toBe("");
    const of = ["--bucket", "nix-cache", "--key", key];
    await expect(run("s3api", "put-object-acl", ...of, "--acl", "private")).rejects.toThrow("NotImplemented");
    await expect(run("s3api", "get-object-tagging", ...of)).rejects.toThrow("NotImplemented");
    await expect(run("s3api", "delete-object", ...of)).rejects.toThrow("NotImplemented");
    await run("s3", "cp", "--no-progress", `s3://nix-cache/${key}`, join(out, "again"));
    expect(readFileSync(join(out, "again")).equals(encoded)).toBe(true);
    const after = ["--bucket", "nix-cache", "--prefix", "log/", "--start-after", "log/"];
    expect(await run("s3api", "list-objects-v2", ...after)).toContain(key);
  });

  test("sends a log in parts, and says why a wrong NAR is refused", async () => {
    const noise = makeNoise(40 * MIB);
    const file = join(scratchDir(), "noise");
    await writeFile(file, noise.stream());
    const wrong = run("s3", "cp", "--no-progress", file, `s3://nix-cache/${makeNoise(100).key}`);
    await expect(wrong).rejects.toThrow("BadDigest");
    const log = join(scratchDir(), "log");
    writeFileSync(log, noise.part(0, 20 * MIB));
    const key = `log/${"1".repeat(32)}-aws.drv`;
    await run("s3", "cp", "--no-progress", log, `s3://nix-cache/${key}`);
    expect(await run("s3", "ls", "s3://nix-cache/log/")).toContain(`${20 * MIB} ${key.slice("log/".length)}`);
  });

  test("reads with the pull token, and does not write with it", async () => {
    const env = { ...awsEnv("pull-token"), AWS_ACCESS_KEY_ID: "pull" };
    const file = join(scratchDir(), "small");
    const { key, part } = makeNoise(1000);
    writeFileSync(file, part(0, 1000));
    const pull = (...args: string[]) => aws.run(env, "--endpoint-url", server.url, ...args);
    await expect(pull("s3", "cp", file, `s3://nix-cache/${key}`)).rejects.toThrow("AccessDenied");
    await run("s3", "cp", file, `s3://nix-cache/${key}`);
    await pull("s3", "cp", `s3://nix-cache/${key}`, `${file}.out`);
    expect((await digestOf(createReadStream(`${file}.out`))).bytes).toBe(1000);
  });
});
