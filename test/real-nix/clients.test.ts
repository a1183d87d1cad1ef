// Clients that disconnect, send slowly, send wrong lengths, pipeline or do not read: nothing half is stored, no other
// client waits, and the next one succeeds.
import { once } from "node:events";
import { setTimeout as later } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { check, type PushedPath, putTo, randomPath } from "./pushed.ts";
import { exchange, head, open } from "./raw.ts";
import { serve } from "./serve.ts";

const PUSH = { Authorization: "Bearer push" };
const NAR_BYTES = 1_000_000;
const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";

const server = serve({ PUSH_TOKEN: "push", ADMIN_TOKEN: "admin" });

let names = 0;
const newPath = (bytes = NAR_BYTES): PushedPath => randomPath(`path-${++names}`, bytes);
const status = async (path: string) => (await fetch(`${server.url}${path}`, { method: "HEAD" })).status;
const putHead = (path: string, length: number) =>
  head(`PUT ${path}`, { ...PUSH, "Content-Length": length, Connection: undefined });

/** Another client pushes this path, and all is well with the cache. */
async function expectPushWorks(path: PushedPath): Promise<void> {
  expect([200, 201]).toContain(await putTo(server.url, path.narPath, path.nar as Buffer<ArrayBuffer>));
  expect([200, 201]).toContain(await putTo(server.url, path.narInfoPath, path.text));
  const nar = await fetch(`${server.url}${path.narPath}`);
  expect(Buffer.from(await nar.arrayBuffer()).equals(path.nar)).toBe(true);
  expect(await check(server.url)).toEqual({});
}

describe("a client that vanishes", () => {
  test.each([0, 1, NAR_BYTES / 2, NAR_BYTES - 1])("after %d bytes of a NAR leaves nothing", async (sent) => {
    const path = newPath();
    const { socket, write } = open(server.port);
    write(putHead(path.narPath, NAR_BYTES));
    if (sent > 0) write(path.nar.subarray(0, sent));
    await drained(socket);
    socket.resetAndDestroy();
    expect(await status(path.narPath)).toBe(404);
    await expectPushWorks(path);
  });

  test("after the last byte of a NAR and before the answer leaves all or nothing", async () => {
    const path = newPath();
    const { socket, write } = open(server.port);
    write(putHead(path.narPath, NAR_BYTES));
    write(path.nar);
    await drained(socket);
    socket.resetAndDestroy();
    expect([200, 404]).toContain(await status(path.narPath));
    await expectPushWorks(path);
  });

  test.each(["a byte of", "all but the last byte of", "all of"])("after %s a narinfo", async (what) => {
    const path = newPath(1000);
    await putTo(server.url, path.narPath, path.nar as Buffer<ArrayBuffer>);
    const { socket, write } = open(server.port);
    write(putHead(path.narInfoPath, path.text.length));
    const sent = { "a byte of": 1, "all of": path.text.length }[what] ?? path.text.length - 1;
    write(path.text.slice(0, sent));
    await drained(socket);
    socket.resetAndDestroy();
    expect(sent === path.text.length ? [200, 404] : [404]).toContain(await status(path.narInfoPath));
    await expectPushWorks(path);
  });

  test.each([`/log/${HASH}-a.drv`, `/${HASH}.ls`])("in the middle of %s", async (path) => {
    const { socket, write } = open(server.port);
    write(putHead(path, 1000));
    write("{");
    await drained(socket);
    socket.resetAndDestroy();
    expect(await status(path)).toBe(404);
    expect(await putTo(server.url, path, '{"version":1}')).toBe(201);
  });

  test("in the middle of a part: the part is not there, and the upload goes on", async () => {
    const path = newPath();
    const begun = await fetch(`${server.url}${path.narPath}?uploads`, { method: "POST", headers: PUSH });
    const id = /<UploadId>(.*)<\/UploadId>/.exec(await begun.text())?.[1] ?? "";
    const target = `${path.narPath}?partNumber=1&uploadId=${encodeURIComponent(id)}`;
    const { socket, write } = open(server.port);
    write(putHead(target, NAR_BYTES));
    write(path.nar.subarray(0, NAR_BYTES / 2));
    await drained(socket);
    socket.resetAndDestroy();
    const upload = `${server.url}${path.narPath}?uploadId=${encodeURIComponent(id)}`;
    expect(await (await fetch(upload, { headers: PUSH })).text()).not.toContain("<Part>");
    const part = await fetch(`${server.url}${target}`, {
      method: "PUT",
      body: path.nar as Buffer<ArrayBuffer>,
      headers: PUSH,
    });
    expect(part.status).toBe(200);
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.get("ETag")}</ETag></Part></CompleteMultipartUpload>`;
    expect((await fetch(upload, { method: "POST", body, headers: PUSH })).status).toBe(200);
    await expectPushWorks(path);
  });

  test("in the middle of a download, again and again, takes nothing from others", async () => {
    const path = newPath(5 * NAR_BYTES);
    await expectPushWorks(path);
    for (let turn = 0; turn < 20; turn++) {
      const { socket, write } = open(server.port);
      write(head(`GET ${path.narPath}`));
      await once(socket, "data");
      socket.resetAndDestroy();
    }
    await expectPushWorks(path);
  });
});

describe("a client that lies about the length", () => {
  test.each([
    ["less than a NAR", NAR_BYTES + 1],
    ["a byte of what it announced", 5 * NAR_BYTES],
  ])("and ends after %s: refused, nothing is stored", async (_, announced) => {
    const path = newPath();
    const { socket, write, answer } = open(server.port);
    write(putHead(path.narPath, announced));
    write(path.nar);
    socket.end();
    const { statuses } = await answer();
    // The runtime may close the connection of half a request without a response.
    for (const each of statuses) expect(each).not.toBe(201);
    expect(await status(path.narPath)).toBe(404);
    await expectPushWorks(path);
  });

  test("and sends the beginning of a NAR as all of it: refused", async () => {
    const path = newPath();
    const half = path.nar.subarray(0, NAR_BYTES / 2);
    const { statuses } = await exchange(server.port, [
      head(`PUT ${path.narPath}`, { ...PUSH, "Content-Length": half.length }),
      half,
    ]);
    expect(statuses).toEqual([400]);
    expect(await status(path.narPath)).toBe(404);
    await expectPushWorks(path);
  });

  test("and sends more than it announced: the rest is another request, and none", async () => {
    const path = newPath();
    const { statuses } = await exchange(server.port, [
      putHead(path.narPath, NAR_BYTES),
      path.nar,
      "and more, which is no request\r\n\r\n",
    ]);
    expect(statuses[0]).toBe(201);
    for (const each of statuses.slice(1)) expect(each).toBe(400);
    await expectPushWorks(path);
  });

  test("and sends a NAR and a byte as one: refused", async () => {
    const path = newPath();
    const { statuses } = await exchange(server.port, [
      head(`PUT ${path.narPath}`, { ...PUSH, "Content-Length": NAR_BYTES + 1 }),
      path.nar,
      "x",
    ]);
    expect(statuses).toEqual([400]);
    await expectPushWorks(path);
  });
});

describe("a client that dribbles", () => {
  const PAUSE_MS = 100;

  test("a NAR delays no other push of the same one, and succeeds itself", async () => {
    const path = newPath();
    const { write, answer } = open(server.port);
    write(head(`PUT ${path.narPath}`, { ...PUSH, "Content-Length": NAR_BYTES }));
    write(path.nar.subarray(0, 1));
    await later(PAUSE_MS);
    write(path.nar.subarray(1, 2));
    await expectPushWorks(path);
    write(path.nar.subarray(2));
    expect([[200], [201]]).toContainEqual((await answer()).statuses);
    await expectPushWorks(path);
  });

  test("a narinfo byte by byte delays no other client, and is published whole", async () => {
    const path = newPath(1000);
    await putTo(server.url, path.narPath, path.nar as Buffer<ArrayBuffer>);
    const { write, answer } = open(server.port);
    write(head(`PUT ${path.narInfoPath}`, { ...PUSH, "Content-Length": path.text.length }));
    for (const character of path.text.slice(0, 20)) {
      write(character);
      await later(PAUSE_MS / 10);
    }
    expect(await status(path.narInfoPath)).toBe(404);
    await expectPushWorks(newPath(1000));
    write(path.text.slice(20));
    expect((await answer()).statuses).toEqual([201]);
    await expectPushWorks(path);
  });

  test("the head of a request: a hundred of them delay no other client", async () => {
    const slow = Array.from({ length: 100 }, () => open(server.port));
    for (const { write } of slow) write("GET /nix-cache-info HTTP/1.1\r\nX-Slow: ");
    await expectPushWorks(newPath());
    for (const { write } of slow) write("yes\r\nHost: h\r\nConnection: close\r\n\r\n");
    for (const { answer } of slow) expect((await answer()).statuses).toEqual([200]);
  });

  test("and reads nothing of what it asked for: others do", async () => {
    const path = newPath(20 * NAR_BYTES);
    await expectPushWorks(path);
    const slow = Array.from({ length: 20 }, () => open(server.port));
    for (const { socket, write } of slow) {
      socket.pause();
      write(head(`GET ${path.narPath}`));
    }
    await expectPushWorks(path);
    for (const { socket } of slow) socket.destroy();
  });
});

test("a NAR that is here already is answered, and the client hears it, however much it is still sending", async () => {
  const path = newPath(10 * NAR_BYTES);
  for (let turn = 0; turn < 10; turn++) {
    expect(await putTo(server.url, path.narPath, path.nar as Buffer<ArrayBuffer>)).toBe(
      turn === 0 ? 201 : 200,
    );
  }
});

test("requests in a pipeline are answered in their order", async () => {
  const path = newPath();
  const { statuses, text } = await exchange(server.port, [
    putHead(path.narPath, NAR_BYTES),
    path.nar,
    putHead(path.narInfoPath, path.text.length),
    path.text,
    head("GET /nothing", { Connection: undefined }),
    putHead(path.narPath, NAR_BYTES),
    path.nar,
    head(`GET ${path.narInfoPath}`),
  ]);
  expect(statuses).toEqual([201, 201, 404, 200, 200]);
  expect(text.endsWith(path.text)).toBe(true);
  await expectPushWorks(path);
});

/** Until everything has left this side. */
async function drained(socket: ReturnType<typeof open>["socket"]): Promise<void> {
  while (socket.connecting || socket.writableLength > 0) await later(1);
}
