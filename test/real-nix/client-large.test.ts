// 1.2 GB in parts through `nix-cache push`, killed in the middle and resumed, in bounded memory.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { describeLargeUpload } from "../support/large-uploads.ts";
import { newKey } from "./keys.ts";
import { describeNix, newClient, scratchDir } from "./nix.ts";
import { startProxy } from "./proxy.ts";
import { serve } from "./serve.ts";
import { addPath } from "./store-object.ts";

const MIB = 1024 * 1024;
const SIZE_MIB = 1229;
/** As by default. */
const PART_MIB = 64;
const PARTS = Math.ceil(SIZE_MIB / PART_MIB);
const MAX_MEMORY_MIB = 300;
const MAIN = resolve(import.meta.dirname, "../../src/client/main.ts");

describeNix("nix-cache push", () => {
  describeLargeUpload("a NAR of 1.2 GB", () => {
    const key = newKey("cache.test-1");
    const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: key.secret });

    test("in parts, killed in the middle, resumed, and pulled by stock Nix", async () => {
      const pusher = newClient();
      const file = join(scratchDir(), "large");
      const descriptor = openSync(file, "w");
      for (let mib = 0; mib < SIZE_MIB; mib += 16)
        writeSync(descriptor, randomBytes(Math.min(16, SIZE_MIB - mib) * MIB));
      closeSync(descriptor);
      const path = await addPath(pusher, file, "large");
      let onPart = () => {};
      const isPart = (url: string) => url.includes("partNumber=");
      const proxy = await startProxy(server, (_method, url) => {
        if (isPart(url)) onPart();
        return undefined;
      });

      const push = () => {
        const env = { ...pusher.env, NIX_CACHE_URL: proxy.url, NIX_CACHE_TOKEN: "push" };
        const args = [MAIN, "push", "--compression", "none", path];
        const child = spawn(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"] });
        let memoryMib = 0;
        const watch = setInterval(() => {
          const [, kib] = /VmHWM:\s+(\d+)/.exec(statusOf(child.pid)) ?? [];
          memoryMib = Math.max(memoryMib, Number(kib ?? 0) / 1024);
        }, 100);
        const ended = new Promise<number | null>((done) => child.on("close", done)).finally(() =>
          clearInterval(watch),
        );
        return { child, ended, memory: () => memoryMib };
      };

      const first = push();
      let begun = 0;
      onPart = () => {
        begun += 1;
        if (begun === 8) first.child.kill("SIGKILL");
      };
      expect(await first.ended).toBeNull();
      onPart = () => {};
      const stored = () => proxy.seen.filter((seen) => isPart(seen.path) && seen.status === 200).length;
      const before = stored();
      expect(before).toBeGreaterThanOrEqual(4);
      const second = push();
      expect(await second.ended).toBe(0);
      await proxy.stop();
      // A part that was on its way when it was killed may have been stored or not.
      expect(stored() - before).toBeLessThanOrEqual(PARTS - 4);
      expect(stored()).toBeLessThanOrEqual(PARTS + 3);
      expect(first.memory()).toBeGreaterThan(20);
      expect(Math.max(first.memory(), second.memory())).toBeLessThan(MAX_MEMORY_MIB);
      console.log(
        `${PARTS} parts, ${stored() - before} of them sent by the second push; at most ${second.memory().toFixed(0)} MiB`,
      );

      const puller = newClient({ conf: [`trusted-public-keys = ${key.public}`] });
      await puller.nix("copy", "--from", server.url, path);
      await puller.nix("store", "verify", "--no-trust", path);
    });
  });
});

function statusOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // It has ended.
    return "";
  }
}
