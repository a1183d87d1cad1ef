/** Kills of the hook's daemon lose no path that was noted. KILLS=1000 is the long form. */
// @module-tag slow
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { note } from "../../src/client/hook/notes.ts";

const KILLS = Number(process.env.KILLS ?? 30);
const DAEMON = resolve(import.meta.dirname, "hook-daemon.ts");
/** A daemon needs 100 to 300 ms to start: some are killed before that, some while they push. */
const MAX_LIFE_MS = 600;

let dir: string;
let pushed: string;
let daemon: ChildProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-hook-"));
  pushed = join(mkdtempSync(join(tmpdir(), "nix-cache-pushed-")), "pushed");
});

afterEach(() => {
  daemon?.kill("SIGKILL");
  rmSync(dir, { recursive: true });
  rmSync(join(pushed, ".."), { recursive: true });
});

function start(): ChildProcess {
  daemon = spawn(process.execPath, [DAEMON, dir, pushed], { stdio: ["ignore", "ignore", "inherit"] });
  return daemon;
}

function storePath(number: number): string {
  return `/nix/store/${String(number).padStart(32, "0")}-path`;
}

function pushedPaths(): Set<string> {
  try {
    // A line that a kill has cut off is no path.
    return new Set(readFileSync(pushed, "utf8").split("\n").slice(0, -1));
  } catch {
    return new Set();
  }
}

test(`${KILLS} kills`, { timeout: 60_000 + KILLS * 1000 }, async () => {
  let noted = 0;
  let working = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const before = pushedPaths().size;
    const running = start();
    const death = setTimeout(Math.random() * MAX_LIFE_MS).then(() => running.kill("SIGKILL"));
    while (running.exitCode === null && running.signalCode === null) {
      const count = 1 + Math.floor(Math.random() * 5);
      note(
        dir,
        Array.from({ length: count }, () => storePath(noted++)),
      );
      await setTimeout(Math.random() * 30);
    }
    await death;
    expect(running.signalCode).toBe("SIGKILL");
    if (pushedPaths().size > before) working++;
  }
  const last = start();
  while (readdirSync(dir).some((name) => name.startsWith("note-"))) await setTimeout(20);
  last.kill("SIGTERM");
  await once(last, "exit");
  expect(last.exitCode).toBe(0);

  const all = pushedPaths();
  const lost = Array.from({ length: noted }, (_, number) => storePath(number)).filter(
    (path) => !all.has(path),
  );
  expect(lost).toEqual([]);
  // Otherwise nothing was killed in the middle of its work.
  expect(working).toBeGreaterThan(KILLS / 10);
  if (KILLS > 100) console.log(`${KILLS} kills, ${working} of daemons that had pushed, ${noted} paths`);
});
