// The server killed in the middle of uploads, publications and collections, again and again over one bucket and
// catalog: after each restart every path confirmed within the grace period is there, a check finds nothing, and
// interrupted paths can be pushed again. `KILLS=100` takes some minutes.
import { writeSync } from "node:fs";
import { setTimeout as later } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeScratch, scratchDir } from "./nix.ts";
import { check, type PushedPath, putTo, randomPath } from "./pushed.ts";
import { type Server, startServer } from "./server.ts";

const KILLS = Number(process.env.KILLS ?? 8);
const PUSHERS = 4;
const NAR_BYTES = 200_000;
/** The least that R2 takes as any part but the last. */
const PART_BYTES = 5 * 1024 * 1024;
/** The longest that a server lives under load. */
const MAX_LIFE_MS = 1500;
const SECONDS_OF_A_KILL = 60;
const STDERR = 2;
/** The longest turn of this test (an interrupted deletion has a timeout of 30 s): older paths may be collected. */
const GRACE_MS = 60_000;
/** With fewer turns no path becomes old enough. */
const KILLS_TO_COLLECT = 60;
const VARIABLES = {
  PUSH_TOKEN: "push",
  ADMIN_TOKEN: "admin",
  GC_GRACE_SECONDS: String(GRACE_MS / 1000),
  CACHES: JSON.stringify({ "nix-cache": { retention_days: 0.0001 } }),
};
const PUSH = { Authorization: "Bearer push" };

/** A path in flight; `isConfirmed` if its push was answered with success. */
interface Push {
  readonly path: PushedPath;
  readonly isLarge: boolean;
  isConfirmed: boolean;
}

const dir = scratchDir();
let server: Server;
beforeAll(async () => {
  server = await startServer(VARIABLES, dir);
});
afterAll(async () => {
  await server.stop();
  removeScratch();
});

test(
  `${KILLS} kills`,
  async () => {
    const figures = { collected: 0, confirmed: 0, "cut off": 0, "cut off, but there": 0, "large ones": 0 };
    let names = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const pushes: Push[] = [];
      const name = () => `path-${++names}`;
      const begun = Date.now();
      const pushers = Array.from({ length: PUSHERS }, (_, index) => pushOn(pushes, name, index === 0));
      const collector = collectOn();
      const life = Math.random() * MAX_LIFE_MS;
      await later(life);
      await server.stop();
      await Promise.all([...pushers, collector]);

      server = await startServer(VARIABLES, dir);
      const where = `kill ${kill} after ${life} ms`;
      expect(await check(server.url), where).toEqual({});
      for (const push of pushes) {
        const isThere = await isServed(push.path);
        expect(Date.now() - begun, "this machine is too slow for the grace period").toBeLessThan(GRACE_MS);
        if (push.isConfirmed) expect(isThere, `${where}: ${push.path.baseName}`).toBe(true);
        figures["large ones"] += push.isLarge ? 1 : 0;
        figures.confirmed += push.isConfirmed ? 1 : 0;
        figures["cut off"] += push.isConfirmed ? 0 : 1;
        figures["cut off, but there"] += !push.isConfirmed && isThere ? 1 : 0;
        // References were pushed before, by the same pusher: in this order they are there.
        if (!push.isConfirmed) await pushAgain(push);
        expect(await isServed(push.path), where).toBe(true);
      }
      expect(await check(server.url), where).toEqual({});
    }
    figures.collected = figures.confirmed + figures["cut off"] - (await countPaths());
    const told = Object.entries(figures).map(([what, count]) => `${count} ${what}`);
    writeSync(STDERR, `${KILLS} kills; of the paths pushed: ${told.join(", ")}\n`);
    // Otherwise no kill has interrupted anything.
    expect(figures.confirmed).toBeGreaterThan(KILLS);
    expect(figures["cut off"]).toBeGreaterThan(KILLS);
    if (KILLS >= KILLS_TO_COLLECT) expect(figures.collected).toBeGreaterThan(KILLS);
  },
  KILLS * SECONDS_OF_A_KILL * 1000,
);

/** Pushes path after path, each referring to the one before, until the server is gone. */
async function pushOn(pushes: Push[], name: () => string, isLarge: boolean): Promise<void> {
  for (let references: PushedPath[] = []; ; ) {
    const bytes = isLarge ? PART_BYTES + NAR_BYTES : NAR_BYTES;
    const push: Push = { path: randomPath(name(), bytes, references), isLarge, isConfirmed: false };
    pushes.push(push);
    try {
      await (isLarge ? uploadInParts(push.path) : upload(push.path));
      expect([200, 201]).toContain(await putTo(server.url, push.path.narInfoPath, push.path.text));
      push.isConfirmed = true;
    } catch (error) {
      // fetch's error for a connection that fails or breaks; an error response would be another.
      if (error instanceof TypeError) return;
      throw error;
    }
    references = [push.path];
  }
}

/** Asks for collection after collection, until the server is gone. */
async function collectOn(): Promise<void> {
  for (;;) {
    try {
      const headers = { Authorization: "Bearer admin" };
      const response = await fetch(`${server.url}/api/v1/gc`, {
        method: "POST",
        headers,
        body: '{"force": true}',
      });
      expect(response.status, await response.text()).toBe(200);
    } catch (error) {
      if (error instanceof TypeError) return;
      throw error;
    }
  }
}

/** Paths that are here. */
async function countPaths(): Promise<number> {
  const headers = { Authorization: "Bearer admin" };
  const stats = (await (await fetch(`${server.url}/api/v1/stats`, { headers })).json()) as { paths: number };
  return stats.paths;
}

async function pushAgain({ path, isLarge }: Push): Promise<void> {
  await (isLarge ? uploadInParts(path) : upload(path));
  expect([200, 201]).toContain(await putTo(server.url, path.narInfoPath, path.text));
}

async function upload({ narPath, nar }: PushedPath): Promise<void> {
  expect([200, 201]).toContain(await putTo(server.url, narPath, nar as Buffer<ArrayBuffer>));
}

async function uploadInParts({ narPath, nar }: PushedPath): Promise<void> {
  const send = async (method: string, query: string, body?: string | Buffer<ArrayBuffer>) => {
    const response = await fetch(`${server.url}${narPath}?${query}`, {
      method,
      headers: PUSH,
      ...(body && { body }),
    });
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return { text, etag: response.headers.get("ETag") ?? "" };
  };
  const { text } = await send("POST", "uploads");
  const id = encodeURIComponent(/<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? "");
  let parts = "";
  for (let start = 0, number = 1; start < nar.length; start += PART_BYTES, number++) {
    const part = nar.subarray(start, start + PART_BYTES) as Buffer<ArrayBuffer>;
    const { etag } = await send("PUT", `partNumber=${number}&uploadId=${id}`, part);
    parts += `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`;
  }
  await send("POST", `uploadId=${id}`, `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`);
}

/** Whether the path is here; if so, its NAR must be there with the pushed content. */
async function isServed({ narInfoPath, narPath, nar, baseName }: PushedPath): Promise<boolean> {
  const narInfo = await fetch(`${server.url}${narInfoPath}`);
  await narInfo.arrayBuffer();
  if (narInfo.status === 404) return false;
  expect(narInfo.status).toBe(200);
  const stored = await fetch(`${server.url}${narPath}`);
  expect(Buffer.from(await stored.arrayBuffer()).equals(nar), baseName).toBe(true);
  return true;
}
