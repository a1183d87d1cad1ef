// rclone: a cache in a directory goes in, is looked at, and comes out again.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { newKey } from "../real-nix/keys.ts";
import { scratchDir } from "../real-nix/nix.ts";
import { serve } from "../real-nix/serve.ts";
import { type FileCache, makeFileCache } from "./file-cache.ts";
import { MIB } from "./noise.ts";
import { rclone, rcloneEnv } from "./programs.ts";

/** As the README says. */
const NARS = ["--ignore-existing", "--s3-upload-cutoff=8Mi", "--s3-chunk-size=8Mi"];
const NARINFOS = ["--include=/*.narinfo", "--ignore-existing", "--ignore-size", "--ignore-checksum"];

rclone.describe("rclone", () => {
  let cache: FileCache;
  const server = serve({ PUSH_TOKEN: "push-token", SIGNING_KEY: newKey("cache.test-1").secret });
  let run: (...args: string[]) => Promise<string>;

  beforeAll(() => {
    cache = makeFileCache(5, 20 * MIB);
    const env = rcloneEnv(server.url, "push-token");
    run = (...args) => rclone.run(env, ...args);
  });

  test("copies a cache in: NARs in parts, then the narinfos, layer by layer", async () => {
    await run("copy", ...NARS, "--retries=1", join(cache.dir, "nar"), "cache:nix-cache/nar");
    await run("copy", ...NARINFOS, "--retries=100", cache.dir, "cache:nix-cache");
    expect(lines(await run("lsf", "cache:"))).toEqual(["nix-cache/"]);
    expect(lines(await run("lsf", "cache:nix-cache"))).toEqual([...cache.narInfos.toSorted(), "nar/"]);
    expect(lines(await run("lsf", "-R", "--files-only", "cache:nix-cache"))).toEqual(
      [...cache.narInfos, ...cache.nars].sort(),
    );
  });

  test("finds nothing to do a second time", async () => {
    const stats = ["--retries=1", "--stats-one-line", "--stats=1h", "-v"];
    await run("copy", ...NARS, ...stats, join(cache.dir, "nar"), "cache:nix-cache/nar");
    await run("copy", ...NARINFOS, ...stats, cache.dir, "cache:nix-cache");
  });

  test("finds the same NARs on both sides, by size and by hash", async () => {
    await run("check", join(cache.dir, "nar"), "cache:nix-cache/nar");
    await run("check", "--download", join(cache.dir, "nar"), "cache:nix-cache/nar");
  });

  test("copies the cache out: the same, and signed", async () => {
    const out = scratchDir();
    await run("copy", "--retries=1", "cache:nix-cache", out);
    expect(readdirSync(join(out, "nar")).sort()).toEqual(readdirSync(join(cache.dir, "nar")).sort());
    for (const key of cache.nars) {
      expect(readFileSync(join(out, key)).equals(readFileSync(join(cache.dir, key))), key).toBe(true);
    }
    for (const key of cache.narInfos) {
      const [sent, got] = [cache.dir, out].map((dir) => lines(readFileSync(join(dir, key), "utf8")));
      expect(got?.filter((line) => !line.startsWith("Sig: "))).toEqual(sent);
      expect(got?.filter((line) => line.startsWith("Sig: cache.test-1:"))).toHaveLength(1);
    }
  });

  test.each(["br", "gzip", "zstd"] as const)(
    "keeps what was pushed as %s, and copies one file",
    async (coding) => {
      const encode = { br: brotliCompressSync, gzip: gzipSync, zstd: zstdCompressSync }[coding];
      const encoded = encode("building\n".repeat(1000));
      const key = `log/${"0".repeat(32)}-${coding}.drv`;
      const headers = { Authorization: "Bearer push-token", "Content-Encoding": coding };
      const body = new Uint8Array(encoded);
      expect((await fetch(`${server.url}/${key}`, { method: "PUT", headers, body })).status).toBe(201);
      const out = scratchDir();
      await run("copy", "--retries=1", "cache:nix-cache/log", out, `--include=/*-${coding}.drv`);
      expect(readFileSync(join(out, key.slice("log/".length))).equals(encoded)).toBe(true);
      const plain = join(out, "plain");
      writeFileSync(plain, "building\n".repeat(1000));
      const other = `cache:nix-cache/log/${"1".repeat(32)}-${coding}.drv`;
      await run("copyto", "--retries=1", plain, other);
      await run("copyto", "--retries=1", other, join(out, "copy"));
      expect(readFileSync(join(out, "copy"))).toEqual(readFileSync(plain));
    },
  );

  test("is told what to do about a narinfo whose references are missing", async () => {
    const other = makeFileCache(2);
    await run("copy", ...NARS, join(other.dir, "nar"), "cache:nix-cache/nar");
    const top = join(other.dir, other.narInfos[1] ?? "");
    const copy = run("copy", ...NARINFOS, "--s3-no-check-bucket", "--retries=1", top, "cache:nix-cache");
    await expect(copy).rejects.toThrow(/push|refer/);
  });
});

function lines(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trimEnd())
    .sort();
}
