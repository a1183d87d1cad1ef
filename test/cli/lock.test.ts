/** The lock of `npm start`: one cache for a folder of data, and nothing that outlives its process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Lock, lockAt, socketFor } from "../../src/cli/lock.ts";

const URL = "http://localhost:8787";
let directory = "";
let path = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "nix-cache-lock-"));
  path = join(directory, "start.sock");
});
afterEach(() => rm(directory, { recursive: true }));

async function taken(): Promise<Lock> {
  const lock = await lockAt(path);
  if ("heldAt" in lock) throw new Error("it is held");
  return lock;
}

test("a second one learns where the first runs, once that is known", async () => {
  const first = await taken();
  expect(await lockAt(path)).toEqual({ heldAt: "" });
  first.announce(URL);
  expect(await lockAt(path)).toEqual({ heldAt: URL });
  expect(await lockAt(path)).toEqual({ heldAt: URL });
  first.release();
});

test("released, it can be taken again, and its file is gone", async () => {
  (await taken()).release();
  expect(existsSync(path)).toBe(false);
  (await taken()).release();
});

test("of two at the same time one gets it", async () => {
  const locks = await Promise.all([lockAt(path), lockAt(path)]);
  expect(locks.filter((lock) => "heldAt" in lock)).toHaveLength(1);
  for (const lock of locks) if ("release" in lock) lock.release();
});

test("a holder that was killed leaves a file, which stops nobody", async () => {
  const module = resolve(import.meta.dirname, "../../src/cli/lock.ts");
  const program = `const { lockAt } = await import(${JSON.stringify(module)});
    const lock = await lockAt(${JSON.stringify(path)});
    lock.announce(${JSON.stringify(URL)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "pipe" });
  await once(holder.stdout, "data");
  expect(await lockAt(path)).toEqual({ heldAt: URL });
  holder.kill("SIGKILL");
  await once(holder, "exit");
  expect(existsSync(path)).toBe(true);
  (await taken()).release();
});

test("where there can be no socket, nothing is refused", async () => {
  path = join(directory, "no-such-folder", "start.sock");
  (await taken()).release();
  (await taken()).release();
});

test("each folder has a socket of its own, outside, with a short path", () => {
  const [a, b] = ["/home/ann/nix-cache/.wrangler", `/home/ann/${"x".repeat(300)}/.wrangler`].map((folder) =>
    socketFor(folder, {}),
  );
  expect(a).toMatch(/^\/tmp\/nix-cache-[\d]*-[0-9a-f]{32}\.sock$/);
  expect(b).not.toBe(a);
  expect(b?.length).toBeLessThan(100);
  expect(socketFor("/a", { XDG_RUNTIME_DIR: "/run/user/1000" })).toMatch(/^\/run\/user\/1000\/nix-cache-/);
});

test("a dead one that cannot be removed refuses nothing", async () => {
  await mkdir(path);
  (await taken()).release();
});
