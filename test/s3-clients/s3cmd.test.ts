// s3cmd, which lists by ListObjects, keeps what was encoded, and tells why an upload failed.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { scratchDir } from "../real-nix/nix.ts";
import { serve } from "../real-nix/serve.ts";
import { makeFileCache } from "./file-cache.ts";
import { MIB, makeNoise } from "./noise.ts";
import { s3cmd } from "./programs.ts";

const LOG = `log/${"0".repeat(32)}-s3cmd.drv`;

s3cmd.describe("s3cmd", () => {
  const server = serve({ PUSH_TOKEN: "push-token" });
  let dir: string;
  beforeAll(() => {
    dir = scratchDir();
  });
  const run = (...args: string[]) => {
    const host = server.url.replace("http://", "");
    const config = join(dir, "s3cfg");
    writeFileSync(
      config,
      [
        "[default]",
        ...["access_key = push", "secret_key = push-token", "use_https = False", "bucket_location = auto"],
        ...[`host_base = ${host}`, `host_bucket = ${host}`, "multipart_chunk_size_mb = 5", "max_retries = 1"],
      ].join("\n"),
    );
    return s3cmd.run({ HOME: dir }, "--config", config, "--no-progress", ...args);
  };

  test("lists, gets, and asks for settings", async () => {
    const cache = makeFileCache(2);
    for (const key of [...cache.nars, ...cache.narInfos]) {
      await run("put", join(cache.dir, key), `s3://nix-cache/${key}`);
    }
    expect(await run("ls")).toContain("s3://nix-cache");
    const all = await run("ls", "--recursive", "s3://nix-cache/");
    for (const key of [...cache.nars, ...cache.narInfos]) expect(all).toContain(`s3://nix-cache/${key}\n`);
    expect(await run("info", "s3://nix-cache")).toContain("Location:  auto");
    const out = join(dir, "out");
    await run("get", "--force", `s3://nix-cache/${cache.nars[0]}`, out);
    expect(readFileSync(out)).toEqual(readFileSync(join(cache.dir, cache.nars[0] ?? "")));
  });

  test("gets an encoded log as it is stored", async () => {
    const encoded = gzipSync("building\n".repeat(1000));
    const headers = { Authorization: "Bearer push-token", "Content-Encoding": "gzip" };
    const body = new Uint8Array(encoded);
    expect((await fetch(`${server.url}/${LOG}`, { method: "PUT", headers, body })).status).toBe(201);
    const out = join(dir, "log");
    await run("get", "--force", `s3://nix-cache/${LOG}`, out);
    expect(readFileSync(out).equals(encoded)).toBe(true);
  });

  test("copies a cache in as Cachix wrote it", async () => {
    const cache = makeFileCache(2);
    for (const [index, key] of cache.narInfos.entries()) {
      const nar = join(cache.dir, cache.nars[index] ?? "");
      const name = `nar/${createHash("sha256").update(readFileSync(nar)).digest("hex")}.nar`;
      const narinfo = join(dir, "narinfo");
      writeFileSync(
        narinfo,
        readFileSync(join(cache.dir, key), "utf8").replace(/^URL: .*$/m, `URL: ${name}`),
      );
      await run("put", nar, `s3://nix-cache/${name}`);
      await run("info", `s3://nix-cache/${name}`);
      await run("put", narinfo, `s3://nix-cache/${key}`);
      expect(await (await fetch(`${server.url}/${key}`)).text()).toContain(`\nURL: ${cache.nars[index]}\n`);
    }
    const attic = join(dir, "attic");
    writeFileSync(attic, "a NAR");
    await run("put", attic, "s3://nix-cache/nar/0000.nar");
  });

  test("sends in parts, and says why a wrong NAR is refused", async () => {
    const noise = makeNoise(12 * MIB);
    const file = join(dir, "noise");
    writeFileSync(file, noise.part(0, noise.bytes));
    await run("put", file, `s3://nix-cache/${noise.key}`);
    await expect(run("put", file, `s3://nix-cache/${makeNoise(100).key}`)).rejects.toThrow(
      /BadDigest|do not have the SHA-256/,
    );
  });
});
