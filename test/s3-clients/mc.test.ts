// mc, which takes any status but 200 for a failed upload, and any text for a truncated mirror.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { scratchDir } from "../real-nix/nix.ts";
import { serve } from "../real-nix/serve.ts";
import { makeFileCache } from "./file-cache.ts";
import { MIB, makeNoise } from "./noise.ts";
import { mc } from "./programs.ts";

const LOG = `log/${"0".repeat(32)}-mc.drv`;

mc.describe("mc", () => {
  const server = serve({ PUSH_TOKEN: "push-token" });
  let dir: string;
  beforeAll(() => {
    dir = scratchDir();
  });
  const run = (...args: string[]) => {
    const host = server.url.replace("http://", "http://push:push-token@");
    return mc.run({ HOME: dir, MC_HOST_cache: host }, "--config-dir", join(dir, "mc"), "--quiet", ...args);
  };

  test("makes the bucket, puts, lists and mirrors a cache", async () => {
    await run("mb", "--ignore-existing", "cache/nix-cache");
    const cache = makeFileCache(2);
    for (const key of [...cache.nars, ...cache.narInfos]) {
      await run("cp", join(cache.dir, key), `cache/nix-cache/${key}`);
    }
    const all = await run("find", "cache/nix-cache");
    for (const key of [...cache.nars, ...cache.narInfos]) expect(all).toContain(`cache/nix-cache/${key}\n`);
    const out = join(dir, "mirror");
    await run("mirror", "cache/nix-cache", out);
    for (const key of cache.nars)
      expect(readFileSync(join(out, key))).toEqual(readFileSync(join(cache.dir, key)));
  });

  test("mirrors encoded logs whole, as they are stored", async () => {
    const plain = "building\n".repeat(1000);
    const logs = { br: brotliCompressSync(plain), gzip: gzipSync(plain) };
    for (const [coding, encoded] of Object.entries(logs)) {
      const headers = { Authorization: "Bearer push-token", "Content-Encoding": coding };
      const body = new Uint8Array(encoded);
      const answer = await fetch(`${server.url}/${LOG}-${coding}.drv`, { method: "PUT", headers, body });
      expect(answer.status).toBe(201);
    }
    const out = join(dir, "logs");
    await run("mirror", "cache/nix-cache/log", out);
    for (const [coding, encoded] of Object.entries(logs)) {
      expect(readFileSync(join(out, `${LOG.slice(4)}-${coding}.drv`)).equals(encoded), coding).toBe(true);
    }
  });

  test("sends in parts, says why a wrong NAR is refused, and changes no tags", async () => {
    const noise = makeNoise(20 * MIB);
    const file = join(dir, "noise");
    writeFileSync(file, noise.part(0, noise.bytes));
    await run("cp", file, `cache/nix-cache/${noise.key}`);
    await run("cp", file, `cache/nix-cache/${LOG}`);
    await expect(run("cp", file, `cache/nix-cache/${makeNoise(100).key}`)).rejects.toThrow(
      /do(es)? not have the SHA-256/,
    );
    await expect(run("tag", "set", `cache/nix-cache/${LOG}`, "a=b")).rejects.toThrow(/nothing was changed/);
    const out = join(dir, "noise-2");
    await run("cp", `cache/nix-cache/${LOG}`, out);
    expect(readFileSync(out).equals(readFileSync(file))).toBe(true);
  });
});
