// The commands that look into a cache or change its metadata.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { facts, pathInfos } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, scratchDir } from "./nix.ts";
import { startProxy } from "./proxy.ts";
import { serve } from "./serve.ts";
import { addPath, hashPart } from "./store-object.ts";

const SIZE = 45;
const BUILD_ID = "c0ffee".padEnd(40, "0");

describeNix("commands", () => {
  const key = newKey("cache.test-1");
  const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: key.secret });
  let pusher: Client;
  let top: string;
  /** A directory with `bin/hello` and separate debug info. */
  let tree: string;

  beforeAll(async () => {
    pusher = newClient({ token: "push" });
    top = await generateClosure(pusher, SIZE);
    tree = await addTree(pusher);
    await pusher.nix("copy", "--to", `${server.url}?write-nar-listing=true&index-debug-info=true`, top, tree);
  });

  test("path-info", async () => {
    const remote = await pathInfos(newClient(), top, "--store", server.url);
    expect(facts(remote)).toEqual(facts(await pathInfos(pusher, top)));
    expect(remote.size).toBe(SIZE);
    for (const { signatures = [] } of remote.values()) {
      expect(signatures.some((signature) => signature.startsWith("cache.test-1:"))).toBe(true);
    }
  });

  test("path-info of a path that is not there", async () => {
    const absent = `/nix/store/${"0".repeat(32)}-absent`;
    const { code, stderr } = await newClient().run("path-info", "--store", server.url, absent);
    expect(code).not.toBe(0);
    expect(stderr).toContain("not valid");
  });

  test("store ls and store cat", async () => {
    const client = newClient();
    const list = await client.nix("store", "ls", "--store", server.url, "-R", tree);
    expect(list.trim().split("\n")).toContain("./bin/hello");
    expect(await client.nix("store", "cat", "--store", server.url, `${tree}/bin/hello`)).toBe(
      "hello world\n",
    );
  });

  test("the listing that the client wrote", async () => {
    const response = await fetch(`${server.url}/${hashPart(tree)}.ls`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toMatchObject({
      version: 1,
      root: { type: "directory", entries: { bin: { entries: { hello: { type: "regular", size: 12 } } } } },
    });
  });

  test.each([`${BUILD_ID}.debug`, BUILD_ID])(
    "the debug info index that the client wrote: %s",
    async (name) => {
      const response = await fetch(`${server.url}/debuginfo/${name}`);
      const { archive, member } = (await response.json()) as Record<string, string>;
      expect(member).toBe(`lib/debug/.build-id/${BUILD_ID.slice(0, 2)}/${BUILD_ID.slice(2)}.debug`);
      const nar = await fetch(new URL(String(archive), response.url));
      expect(nar.status).toBe(200);
      await nar.arrayBuffer();
    },
  );

  test("store sign adds a signature to what is in the cache", async () => {
    const mine = newKey("mine-1");
    await pusher.nix(
      "store",
      "sign",
      "--store",
      server.url,
      "-r",
      "-k",
      pusher.write("key", mine.secret),
      top,
    );
    await expectSigners(["cache.test-1", "mine-1"]);
    await newClient({ conf: [`trusted-public-keys = ${mine.public}`] }).nix(
      "copy",
      "--from",
      server.url,
      top,
    );
  });

  test("store copy-sigs brings signatures from another store", async () => {
    const theirs = newKey("theirs-1");
    await pusher.nix("store", "sign", "-r", "-k", pusher.write("key", theirs.secret), top);
    const client = newClient({ token: "push" });
    await client.nix("store", "copy-sigs", "-r", "--store", server.url, "-s", pusher.storeUrl, top);
    await expectSigners(["cache.test-1", "theirs-1"]);
  });

  test("store verify reads everything back", async () => {
    const client = newClient({ conf: [`trusted-public-keys = ${key.public}`] });
    await client.nix("store", "verify", "--store", server.url, "-r", top);
  });

  test("a client that finds no nix-cache-info may write it", async () => {
    const proxy = await startProxy(server, (method, path) =>
      method === "GET" && path === "/nix-cache-info" ? { answer: 404 } : undefined,
    );
    await newClient({ token: "push" }).nix("path-info", "--store", proxy.url, top);
    await proxy.stop();
    const puts = proxy.seen.filter(({ method }) => method === "PUT");
    expect(puts.map(({ path, status }) => `${path} ${status}`)).toEqual(["/nix-cache-info 200"]);
  });

  /** Every path of the closure is signed in the cache by these keys at least. */
  async function expectSigners(names: string[]): Promise<void> {
    for (const [path, { signatures = [] }] of await pathInfos(newClient(), top, "--store", server.url)) {
      const signers = signatures.map((signature) => signature.split(":")[0]);
      expect(signers, path).toEqual(expect.arrayContaining(names));
      expect(new Set(signatures).size, `${path} has a signature twice`).toBe(signatures.length);
    }
  }
});

async function addTree(client: Client): Promise<string> {
  const tree = scratchDir();
  mkdirSync(join(tree, "bin"));
  writeFileSync(join(tree, "bin/hello"), "hello world\n");
  const debug = join(tree, "lib/debug/.build-id", BUILD_ID.slice(0, 2));
  mkdirSync(debug, { recursive: true });
  writeFileSync(join(debug, `${BUILD_ID.slice(2)}.debug`), "debug info");
  return addPath(client, tree, "tree");
}
