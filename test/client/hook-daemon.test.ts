/** The hook's daemon: batches, attempts after failures, draining, one at a time, and being woken by systemd's socket. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Failure } from "../../src/client/ground/failure.ts";
import { type PushBatch, serve } from "../../src/client/hook/daemon.ts";
import { note, notesIn } from "../../src/client/hook/notes.ts";
import { openQueue } from "../../src/client/hook/queue.ts";

let dir: string;
let said: string[];
let batches: (readonly string[])[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-hook-"));
  said = [];
  batches = [];
});

afterEach(() => rmSync(dir, { recursive: true }));

function storePath(number: number): string {
  return `/nix/store/${String(number).padStart(32, "0")}-path`;
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, number) => storePath(number));
}

/** A push that takes what `answer` does not refuse. */
function pushing(answer: PushBatch = async () => []): PushBatch {
  return (paths) => {
    batches.push(paths);
    return answer(paths);
  };
}

async function drained(push: PushBatch) {
  const stop = AbortSignal.abort();
  return serve({ dir, push, stop, say: (line) => said.push(line) });
}

describe("draining", () => {
  test("pushes all that is noted, in batches and once each", async () => {
    for (const path of numbered(250)) note(dir, [path, storePath(0)]);
    expect(await drained(pushing())).toEqual({ left: 0 });
    expect(batches.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(batches.flat().sort()).toEqual(numbered(250));
    expect(notesIn(dir)).toEqual([]);
  });

  test("keeps what has failed for the next time, and says so", async () => {
    note(dir, numbered(3));
    expect(await drained(pushing(async () => [storePath(1)]))).toEqual({ left: 1 });
    expect(said).toEqual(["1 of 3 paths were not pushed and are tried again later"]);
    expect(await drained(pushing())).toEqual({ left: 0 });
    expect(batches.at(-1)).toEqual([storePath(1)]);
  });

  test("ends at the first batch that fails as a whole: the cache is down", async () => {
    for (const path of numbered(250)) note(dir, [path]);
    const down = pushing(async () => {
      throw new Failure("network", "cache.example.org: connect ECONNREFUSED");
    });
    expect(await drained(down)).toEqual({ left: 250 });
    expect(batches).toHaveLength(1);
    expect(said[0]).toBe("cache.example.org: connect ECONNREFUSED");
  });
});

test("while it runs, it pushes what is noted, and drains when it is stopped in the middle of a push", async () => {
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  const served = serve({
    dir,
    stop: stop.signal,
    say: (line) => said.push(line),
    push: pushing(async () => {
      first.resolve();
      note(dir, [storePath(1)]);
      stop.abort();
      return [];
    }),
  });
  note(dir, [storePath(0)]);
  await first.promise;
  expect(await served).toEqual({ left: 0 });
  expect(batches).toEqual([[storePath(0)], [storePath(1)]]);
});

test("a directory has one daemon", async () => {
  const queue = openQueue(dir);
  await expect(drained(pushing())).rejects.toThrow(/another 'hook serve' has .* open/);
  queue.close();
  expect(await drained(pushing())).toEqual({ left: 0 });
});

test("attempts become rarer, and end some time", () => {
  let now = 0;
  const queue = openQueue(dir, () => now);
  note(dir, [storePath(0)]);
  queue.takeNotes();
  const delays: number[] = [];
  for (let given: string[] = []; given.length === 0; ) {
    expect(queue.due(10)).toEqual([storePath(0)]);
    given = queue.failed([storePath(0)]);
    const delay = queue.nextDueMs();
    if (delay !== undefined) delays.push(delay / 1000);
    expect(queue.due(10)).toEqual([]);
    now += delay ?? 0;
  }
  expect(delays.slice(0, 3)).toEqual([10, 20, 40]);
  expect(delays.at(-1)).toBe(3600);
  expect(delays).toHaveLength(19);
  expect(queue.size()).toBe(0);
  queue.close();
});

test("an outage takes no path out of the queue, however long it lasts", async () => {
  let now = 0;
  const queue = openQueue(dir, () => now);
  note(dir, [storePath(0)]);
  queue.takeNotes();
  for (let attempt = 0; attempt < 100; attempt++) {
    expect(queue.failed([storePath(0)], true)).toEqual([]);
    now += queue.nextDueMs() ?? 0;
  }
  expect(queue.due(10)).toEqual([storePath(0)]);
  expect(queue.failed([storePath(0)])).toEqual([]);
  queue.close();
});

test.each([
  ["the cache is down", new Failure("network", "no answer"), true],
  ["the token has ended", new Failure("refused", "401", 401), true],
  ["the path is refused", new Failure("refused", "422", 422), false],
  ["the path is damaged", new Failure("failed", "damaged"), false],
])("%s: after many attempts the path is in the queue: %s, %s", async (_, error, stays) => {
  note(dir, [storePath(0)]);
  const failing = pushing(async () => {
    throw error;
  });
  for (let attempt = 0; attempt < 25; attempt++) await drained(failing);
  expect(await drained(pushing())).toEqual({ left: 0 });
  expect(batches.length - 25).toBe(stays ? 1 : -5);
});

test("a damaged queue is put aside, and what is noted is pushed", async () => {
  writeFileSync(join(dir, "queue.sqlite"), "no database ".repeat(1000));
  writeFileSync(join(dir, "queue.sqlite-journal"), "its journal");
  note(dir, [storePath(0)]);
  expect(await drained(pushing())).toEqual({ left: 0 });
  expect(batches).toEqual([[storePath(0)]]);
  expect(said[0]).toMatch(/queue.sqlite was damaged and is now .*queue.sqlite.damaged-/);
});

test("a note that cannot be read does not keep the others", async () => {
  mkdirSync(join(dir, "note-0"));
  note(dir, [storePath(0)]);
  expect(await drained(pushing())).toEqual({ left: 0 });
  expect(batches).toEqual([[storePath(0)]]);
});

test("a file at the socket's place that is no socket stays", async () => {
  const socket = join(dir, "socket");
  writeFileSync(socket, "mine");
  await expect(
    serve({ dir, push: pushing(), stop: AbortSignal.abort(), say: () => {}, socket }),
  ).rejects.toThrow("EADDRINUSE");
  expect(readFileSync(socket, "utf8")).toBe("mine");
});

test("with --idle-exit it ends by itself", async () => {
  note(dir, [storePath(0)]);
  const served = serve({
    dir,
    push: pushing(),
    stop: new AbortController().signal,
    say: () => {},
    idleExitMs: 1,
  });
  expect(await served).toEqual({ left: 0 });
  expect(batches).toEqual([[storePath(0)]]);
});

test("systemd's socket wakes it: a connection is enough", async () => {
  // Without a file, which this process would remove when it closes its end.
  const path = `\0${dir}`;
  const listening = createServer();
  await new Promise<void>((done) => listening.listen(path, done));
  const descriptor = (listening as unknown as { _handle: { fd: number } })._handle.fd;
  const file = join(dir, "pushed");
  const daemon = resolve(import.meta.dirname, "hook-daemon.ts");
  // As systemd does: the descriptor 3, and the process's own number, which `exec` keeps.
  const child = spawn(
    "/bin/sh",
    ["-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh", process.execPath, daemon, dir, file],
    { stdio: ["ignore", "inherit", "inherit", descriptor] },
  );
  try {
    listening.close();
    // The daemon takes the connection, and closes it.
    await once(connect({ path }).resume(), "close");
    note(dir, [storePath(0)]);
    await vi.waitFor(() => expect(existsSync(file) && readFileSync(file, "utf8")).toBe(`${storePath(0)}\n`), {
      timeout: 20_000,
    });
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  expect(child.exitCode).toBe(0);
});
