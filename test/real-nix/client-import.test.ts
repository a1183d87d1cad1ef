// `nix-cache import` from a folder, from another cache by HTTP, and from one that compresses nothing.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, nixAtLeast, scratchDir } from "./nix.ts";
import { nixCache } from "./nix-cache.ts";
import { listen, startProxy } from "./proxy.ts";
import { serve } from "./serve.ts";

const SIZE = 60;
/** Of the other cache: signatures must survive. */
const old = newKey("old.test-1");

describeNix("nix-cache import", () => {
  const server = serve({ PUSH_TOKEN: "push" });
  const source = serve({ PUSH_TOKEN: "push", SIGNING_KEY: old.secret });
  const newPuller = () => newClient({ conf: [`trusted-public-keys = ${old.public}`] });

  /** A closure in a folder, signed by the old key. */
  async function folder(client: Client, parameters: string): Promise<{ dir: string; path: string }> {
    const dir = scratchDir();
    const path = await generateClosure(client, SIZE);
    const key = client.write("secret-key", old.secret);
    await client.nix("copy", "--to", `file://${dir}?secret-key=${key}&${parameters}`, path);
    return { dir, path };
  }

  test("a folder, whole", async () => {
    const client = newClient();
    const { dir, path } = await folder(client, "compression=xz");
    const imported = await nixCache(client, server.url, "push", "import", "--json", dir);
    expect(imported).toMatchObject({ code: 0 });
    expect(JSON.parse(imported.stdout).imported).toHaveLength(SIZE);
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(client, puller, path, SIZE);
    const again = await nixCache(client, server.url, "push", "import", "--json", dir);
    expect(JSON.parse(again.stdout)).toMatchObject({ imported: [], present: SIZE, sent: 0 });
  });

  test("a cache by HTTP, interrupted, and gone on with", async () => {
    const client = newClient();
    const path = await generateClosure(client, SIZE);
    expect(await nixCache(client, source.url, "push", "push", path)).toMatchObject({ code: 0 });
    let isBroken = true;
    const nars = (url: string) => url.startsWith("/nar/");
    const proxy = await startProxy(source, (_method, url, seen) =>
      isBroken && nars(url) && seen.filter((each) => nars(each.path)).length > 20
        ? { answer: 404 }
        : undefined,
    );
    const cut = await nixCache(client, server.url, "push", "import", "--json", proxy.url, path);
    expect(cut.code).toBe(5);
    const { imported } = JSON.parse(cut.stdout);
    expect(imported.length).toBeGreaterThan(0);
    isBroken = false;
    const rest = await nixCache(client, server.url, "push", "import", "--json", proxy.url, path);
    await proxy.stop();
    expect(rest).toMatchObject({ code: 0 });
    expect(JSON.parse(rest.stdout).imported).toHaveLength(SIZE - imported.length);
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(client, puller, path, SIZE);
  });

  test("a cache like nix-serve, which compresses nothing and names no file's hash", async () => {
    const client = newClient();
    const { dir, path } = await folder(client, "compression=none");
    for (const name of readdirSync(dir).filter((each) => each.endsWith(".narinfo"))) {
      const text = readFileSync(join(dir, name), "utf8").replace(/^File(Hash|Size): .*\n/gm, "");
      writeFileSync(join(dir, name), text);
    }
    const web = await listen(
      createServer((request, response) => {
        const file = join(dir, decodeURIComponent(request.url ?? ""));
        if (existsSync(file)) response.end(readFileSync(file));
        else response.writeHead(404).end();
      }),
    );
    const url = `http://127.0.0.1:${web.port}`;
    const imported = await nixCache(client, server.url, "push", "import", url, path);
    await web.stop();
    expect(imported).toMatchObject({ code: 0 });
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(client, puller, path, SIZE);
    const narinfo = await (await fetch(`${server.url}/${path.slice(11, 43)}.narinfo`)).text();
    expect(narinfo).toContain("Compression: zstd");
  });

  test.skipIf(!nixAtLeast(2, 33))("an S3 store, which Nix reads", async () => {
    const client = newClient({ token: "push" });
    const path = await generateClosure(client, SIZE);
    expect(await nixCache(client, source.url, "push", "push", path)).toMatchObject({ code: 0 });
    const store = `s3://nix-cache?endpoint=http://127.0.0.1:${source.port}&region=auto`;
    const imported = await nixCache(client, server.url, "push", "import", "--json", store, path);
    expect(imported).toMatchObject({ code: 0 });
    expect(JSON.parse(imported.stdout).imported).toHaveLength(SIZE);
    const puller = newPuller();
    await puller.nix("copy", "--from", server.url, path);
    await expectSameClosure(client, puller, path, SIZE);
  });

  test("a NAR that is not what its narinfo says is not imported, nor what refers to it", async () => {
    const client = newClient();
    const { dir, path } = await folder(client, "compression=none");
    const [nar = ""] = readdirSync(join(dir, "nar"));
    writeFileSync(join(dir, "nar", nar), createHash("sha256").update("other").digest());
    const imported = await nixCache(client, server.url, "push", "import", "--json", dir);
    expect(imported.code).toBe(5);
    expect(imported.stderr).toContain("is not what its narinfo says");
    const { failed } = JSON.parse(imported.stdout);
    expect(failed.map(({ path: name }: { path: string }) => name)).toContain(path);
  });

  test("what cannot be imported: no cache, an HTTP cache without paths, a path that is not there", async () => {
    const client = newClient();
    expect(await nixCache(client, server.url, "push", "import", scratchDir())).toMatchObject({ code: 2 });
    expect(await nixCache(client, server.url, "push", "import", source.url)).toMatchObject({ code: 2 });
    const absent = "0".repeat(32);
    const result = await nixCache(client, server.url, "push", "import", source.url, absent);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("the source does not have it") });
    const skipped = await nixCache(client, server.url, "push", "import", "--skip-absent", source.url, absent);
    expect(skipped).toMatchObject({ code: 0 });
  });
});
