// Clients that PyPI has: boto3, minio-py, and Rust's object_store and opendal.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { newKey } from "../real-nix/keys.ts";
import { scratchDir } from "../real-nix/nix.ts";
import { serve } from "../real-nix/serve.ts";
import { makeFileCache } from "./file-cache.ts";
import { MIB, makeNoise } from "./noise.ts";
import { PYTHON_CLIENTS, PYTHON_LIBRARIES, python } from "./programs.ts";

const ENV = { AWS_EC2_METADATA_DISABLED: "true", PYTHONWARNINGS: "ignore" };
const LOG = `log/${"0".repeat(32)}-python.drv`;

for (const name of PYTHON_LIBRARIES) {
  const client = python(name);
  client.describe(name, () => {
    const server = serve({ PUSH_TOKEN: "push-token", SIGNING_KEY: newKey("cache.test-1").secret });
    let dir: string;
    beforeAll(() => {
      dir = scratchDir();
    });
    const run = (command: string, ...args: string[]) =>
      client.run(ENV, PYTHON_CLIENTS, name, command, server.url, ...args);
    const file = (content: Uint8Array | string) => {
      const path = join(dir, `${Math.random()}`);
      writeFileSync(path, content);
      return path;
    };

    test("gets what was pushed encoded as it is stored, and its size", async () => {
      const plain = Buffer.from("building\n".repeat(1000));
      const encoded = gzipSync(plain);
      const headers = { Authorization: "Bearer push-token", "Content-Encoding": "gzip" };
      const body = new Uint8Array(encoded);
      expect((await fetch(`${server.url}/${LOG}`, { method: "PUT", headers, body })).status).toBe(201);
      const out = file("");
      await run("get", LOG, out);
      // minio-py itself decodes what it gets.
      expect(readFileSync(out).equals(name === "minio" ? plain : encoded)).toBe(true);
      expect(Number(await run("size", LOG))).toBe(encoded.length);
      expect(await run("list", "log/")).toBe(`${encoded.length} ${LOG}\n`);
    });

    test("copies a cache in and out", async () => {
      const cache = makeFileCache(2);
      for (const key of [...cache.nars, ...cache.narInfos]) await run("put", key, join(cache.dir, key));
      const listed = await run("list");
      for (const key of [...cache.nars, ...cache.narInfos]) {
        expect(listed).toContain(` ${key}\n`);
        const out = file("");
        await run("get", key, out);
        const [got, sent] = [readFileSync(out), readFileSync(join(cache.dir, key))];
        expect(key.endsWith(".narinfo") ? got.subarray(0, sent.length) : got).toEqual(sent);
      }
    });

    test("sends a NAR and a log in parts, and says why wrong ones are refused", async () => {
      const noise = makeNoise(12 * MIB);
      const nar = file(noise.part(0, noise.bytes));
      await run("parts", noise.key, nar);
      expect(Number(await run("size", noise.key))).toBe(noise.bytes);
      await run("parts", LOG, nar);
      expect(Number(await run("size", LOG))).toBe(noise.bytes);
      await expect(run("parts", makeNoise(100).key, nar)).rejects.toThrow(
        /BadDigest|do not have the SHA-256/,
      );
      await expect(run("put", makeNoise(100).key, nar)).rejects.toThrow(
        /BadDigest|does not have the SHA-256/,
      );
    });

    test.skipIf(name === "minio")("creates an object once", async () => {
      const key = `log/${"1".repeat(32)}-${name}.drv`;
      await run("create", key, file("one"));
      await expect(run("create", key, file("two"))).rejects.toThrow(
        /412|[Pp]recondition|AlreadyExists|ConditionNotMatch/,
      );
      const out = file("");
      await run("get", key, out);
      expect(readFileSync(out, "utf8")).toBe("one");
    });
  });
}
