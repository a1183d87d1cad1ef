// `nix-cache push` with a real Nix: what it pushes, stock Nix pulls and finds identical.
import { appendFileSync, chmodSync, existsSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { execute } from "./execute.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, scratchDir } from "./nix.ts";
import { nixCache, runNixCache } from "./nix-cache.ts";
import { startProxy } from "./proxy.ts";
import { serve } from "./serve.ts";
import { addPath, hashPart } from "./store-object.ts";

const SIZE = 300;
const SMALL = 60;

describeNix("nix-cache push", () => {
  const key = newKey("cache.test-1");
  const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: key.secret });
  const newPuller = () => newClient({ conf: [`trusted-public-keys = ${key.public}`] });

  test.each([
    ["zstd", [], SIZE],
    ["xz", ["--compression", "xz:1"], SMALL],
    ["none", ["--compression", "none", "--jobs", "1"], SMALL],
  ])("a closure, packed with %s", async (_, flags, size) => {
    const pusher = newClient();
    const path = await generateClosure(pusher, size);
    const pushed = await nixCache(pusher, server.url, "push", "push", "--json", ...flags, path);
    expect(pushed).toMatchObject({ code: 0 });
    expect(pushed.code).toBe(0);
    const report = JSON.parse(pushed.stdout);
    expect(report.pushed).toHaveLength(size);
    expect(report).toMatchObject({ roots: [path], total: size, present: 0, failed: [], left_out: [] });

    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(pusher, puller, path, size);
    const again = JSON.parse((await nixCache(pusher, server.url, "push", "push", "--json", path)).stdout);
    expect(again).toMatchObject({ pushed: [], present: size, sent: 0 });
  });

  test("one question finds out what is there, and a listing goes along", async () => {
    const pusher = newClient();
    const path = await generateClosure(pusher, SMALL);
    const proxy = await startProxy(server);
    const { code } = await nixCache(pusher, proxy.url, "push", "push", path);
    await proxy.stop();
    expect(code).toBe(0);
    const count = (pattern: RegExp) =>
      proxy.seen.filter((seen) => pattern.test(`${seen.method} ${seen.path}`)).length;
    expect(count(/^POST \/api\/v1\/missing$/)).toBe(1);
    expect(count(/^PUT \/\w+\.(narinfo|ls)$/)).toBe(0);
    expect(count(/^POST \/api\/v1\/paths$/)).toBeLessThan(SMALL / 2);
    expect(count(/^(GET|HEAD) /)).toBe(0);
    const listing = await (await fetch(`${server.url}/${hashPart(path)}.ls`)).json();
    expect(listing).toHaveProperty("root");
  });

  test("./result, paths from standard input, --dry-run and --pin", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "pinned");
    symlinkSync(path, join(pusher.env.TMPDIR ?? "", "result"));
    const dry = await nixCache(pusher, server.url, "push", "push", "--dry-run");
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining(`${path}\nwould push 1 paths`) });
    expect((await fetch(`${server.url}/${hashPart(path)}.narinfo`)).status).toBe(404);

    expect(await nixCache(pusher, server.url, "push", "push", "--pin", "app")).toMatchObject({ code: 0 });
    const pin = await fetch(`${server.url}/api/v1/pins/app`, { headers: { authorization: "Bearer push" } });
    expect(await pin.json()).toMatchObject({ store_path: path });
  });

  test("a link to a link, and a link of one word", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "linked");
    symlinkSync(path, join(pusher.env.TMPDIR ?? "", "result"));
    symlinkSync("result", join(pusher.env.TMPDIR ?? "", "second"));
    const pushed = await nixCache(pusher, server.url, "push", "push", "--json", "second");
    expect(JSON.parse(pushed.stdout)).toMatchObject({ roots: [path] });
    expect(await nixCache(pusher, server.url, "push", "path", "second")).toMatchObject({ code: 0 });
  });

  test("a derivation is pushed itself, and not its outputs", async () => {
    const pusher = newClient();
    const expression = pusher.write(
      "d.nix",
      'derivation { name = "d"; system = "x"; builder = "/b"; args = [ (toString ./d.nix) ]; }',
    );
    const made = await execute("nix-instantiate", [expression], { env: pusher.env });
    const path = made.stdout.trim();
    expect(path).toMatch(/\.drv$/);
    const pushed = await nixCache(pusher, server.url, "push", "push", "--json", path);
    expect(JSON.parse(pushed.stdout)).toMatchObject({ roots: [path], pushed: [path] });
  });

  test("a path that is damaged is not published, and the others are", async () => {
    const pusher = newClient();
    const good = await addFile(pusher, "good");
    const bad = await addFile(pusher, "bad");
    chmodSync(pusher.root + bad, 0o644);
    writeFileSync(pusher.root + bad, "something else");
    const pushed = await nixCache(pusher, server.url, "push", "push", "--json", good, bad);
    expect(pushed.code).toBe(5);
    expect(JSON.parse(pushed.stdout)).toMatchObject({
      pushed: [good],
      failed: [{ path: bad, reason: expect.stringContaining("is damaged") }],
    });
    expect((await fetch(`${server.url}/${hashPart(bad)}.narinfo`)).status).toBe(404);
  });

  test("--exclude and --max-size leave out a path and what refers to it", async () => {
    const pusher = newClient();
    const small = await addFile(pusher, "small");
    const large = await addFile(pusher, "large", 100_000);
    const excluded = await addFile(pusher, "excluded");
    const flags = ["--exclude=-excluded$", "--max-size", "50K"];
    const pushed = await nixCache(
      pusher,
      server.url,
      "push",
      "push",
      "--json",
      ...flags,
      small,
      large,
      excluded,
    );
    expect(pushed.code).toBe(0);
    const report = JSON.parse(pushed.stdout);
    expect(report.pushed).toEqual([small]);
    expect(report.left_out.map(({ path }: { path: string }) => path).sort()).toEqual(
      [excluded, large].sort(),
    );
  });

  test("a store that only Nix's configuration names: Nix reads the NARs", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "configured");
    const conf = join(pusher.env.NIX_CONF_DIR ?? "", "nix.conf");
    appendFileSync(conf, `store = ${pusher.storeUrl}\n`);
    const variables = { NIX_REMOTE: "", NIX_CACHE_URL: server.url, NIX_CACHE_TOKEN: "push" };
    expect(await runNixCache(pusher, variables, "push", path)).toMatchObject({ code: 0 });
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(pusher, puller, path, 1);
  });

  test("a Nix that has no `nix`: by nix-store", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "by-nix-store");
    const bin = scratchDir();
    const dir = pusher.env.PATH?.split(":").find((each) => existsSync(join(each, "nix-store"))) ?? "";
    symlinkSync(join(dir, "nix-store"), join(bin, "nix-store"));
    const variables = { PATH: bin, NIX_CACHE_URL: server.url, NIX_CACHE_TOKEN: "push" };
    const pushed = await runNixCache(pusher, variables, "push", "--json", path);
    expect(pushed).toMatchObject({ code: 0 });
    expect(JSON.parse(pushed.stdout).pushed).toEqual([path]);
  });

  test("an answer of the platform's that passes is tried again", async () => {
    const pusher = newClient();
    const path = await generateClosure(pusher, SMALL);
    let count = 0;
    const proxy = await startProxy(server, () => (count++ % 7 === 3 ? { answer: 503 } : undefined));
    const pushed = await nixCache(pusher, proxy.url, "push", "push", path);
    await proxy.stop();
    expect(pushed).toMatchObject({ code: 0 });
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(pusher, puller, path, SMALL);
  });

  test("exit codes tell usage, network, refused and a failure of Nix apart", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "codes");
    expect(await nixCache(pusher, server.url, "push", "push", "--nonsense")).toMatchObject({ code: 2 });
    expect(await nixCache(pusher, server.url, "wrong", "push", path)).toMatchObject({ code: 4 });
    expect(await nixCache(pusher, server.url, "push", "push", "/nix/store/absent")).toMatchObject({
      code: 1,
    });
    const silent = await nixCache(pusher, "http://127.0.0.1:9", "push", "push", path);
    expect(silent).toMatchObject({ code: 3, stderr: expect.stringContaining("ECONNREFUSED") });
  });

  test("large NARs go in parts, and an upload that broke off goes on", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "parts", 24 * 1024 * 1024);
    const flags = ["--part-size", "5M", "--compression", "none"];
    const isPart = (url: string) => url.includes("partNumber=");
    let isBroken = true;
    const proxy = await startProxy(server, (_method, url, seen) =>
      isBroken && isPart(url) && seen.filter(({ path: earlier }) => isPart(earlier)).length >= 2
        ? { answer: 403 }
        : undefined,
    );
    const cut = await nixCache(pusher, proxy.url, "push", "push", ...flags, path);
    expect(cut).toMatchObject({ code: 4 });
    isBroken = false;
    expect(await nixCache(pusher, proxy.url, "push", "push", ...flags, path)).toMatchObject({ code: 0 });
    await proxy.stop();
    // Each of the five was stored once.
    expect(proxy.seen.filter(({ path: url, status }) => isPart(url) && status === 200)).toHaveLength(5);
    expect(readdirSync(join(pusher.env.XDG_CACHE_HOME ?? "", "nix-cache/uploads"))).toEqual([]);
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(pusher, puller, path, 1);
  });
});

async function addFile(client: Client, name: string, size = 10): Promise<string> {
  const file = client.write(name, `${Math.random()}`.padEnd(size, "x"));
  return addPath(client, file, name);
}
