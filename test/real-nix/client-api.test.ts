// The commands for the API: pins, paths, statistics, tokens, collection, check and deletion, for people and as JSON.
import { expect, test } from "vitest";
import { describeNix, newClient } from "./nix.ts";
import { nixCache } from "./nix-cache.ts";
import { serve } from "./serve.ts";
import { addPath } from "./store-object.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

describeNix("the commands of the API", () => {
  const server = serve({
    PUSH_TOKEN: "push",
    ADMIN_TOKEN: "admin",
    TOKEN_SECRET: SECRET,
    CACHES: '{"nix-cache": {"retention_days": 30}}',
  });
  const client = newClient();

  const admin = async (...args: string[]) => {
    const result = await nixCache(client, server.url, "admin", ...args);
    expect(result).toMatchObject({ code: 0 });
    return result.stdout;
  };
  const addFile = async (name: string) => addPath(client, client.write(name, String(Math.random())), name);
  const pushed = async (name: string) => {
    const path = await addFile(name);
    await admin("push", path);
    return path;
  };

  test("pin set, show, list and remove", async () => {
    const [first, second] = [await pushed("pinned-1"), await pushed("pinned-2")];
    expect(await admin("pin", "set", "web", first)).toBe(`web is ${first}\n`);
    await admin("pin", "set", "web", second, "--keep-revisions", "2");
    expect(await admin("pin", "show", "web")).toBe(`${second}\n`);
    expect(await admin("pin", "show", "--revisions", "web")).toContain(first);
    expect(JSON.parse(await admin("pin", "list", "--json"))).toMatchObject([
      { name: "web", keep_revisions: 2 },
    ]);
    expect(await admin("pin", "list")).toMatch(/^PIN +PINNED +BY +PATH\nweb /);
    await admin("pin", "remove", "web");
    expect(await nixCache(client, server.url, "admin", "pin", "show", "web")).toMatchObject({ code: 4 });
    expect(await nixCache(client, server.url, "admin", "pin", "set", "web", "/absent")).toMatchObject({
      code: 1,
    });
  });

  test("path, search and stats", async () => {
    const path = await pushed("findable");
    expect(await admin("path", path)).toContain(`path         ${path}\n`);
    expect(JSON.parse(await admin("path", "--json", path.slice(11, 43)))).toMatchObject({ store_path: path });
    expect(await admin("search", "INDABL")).toContain(path);
    expect(await admin("search", "--prefix", "nothing-like-it")).not.toContain("/nix/store");
    expect(JSON.parse(await admin("search", "--json", "--limit", "1"))).toHaveLength(1);
    expect(await admin("stats")).toMatch(/^\d+ paths, /);
  });

  test("token mint, list and revoke: the token is printed alone, and pushes until it is revoked", async () => {
    const minted = await admin("token", "mint", "alice", "--expires", "1h");
    expect(minted).toMatch(/^[!-~]+\n$/);
    const token = minted.trim();
    expect(await nixCache(client, server.url, token, "whoami")).toMatchObject({
      code: 0,
      stdout: "token:alice (token: NIX_CACHE_TOKEN)\npush in nix-cache\n",
    });
    expect(await nixCache(client, server.url, token, "push", await addFile("by-alice"))).toMatchObject({
      code: 0,
    });
    const [listed] = JSON.parse(await admin("token", "list", "--json"));
    expect(listed).toMatchObject({ name: "alice" });
    await admin("token", "revoke", listed.id);
    expect(await admin("token", "list")).not.toContain("alice");
    expect(await admin("token", "list", "--all")).toContain("alice");
    const refused = await nixCache(client, server.url, token, "push", await addFile("by-alice-again"));
    expect(refused.code).toBe(4);
    expect(await nixCache(client, server.url, "push", "token", "list")).toMatchObject({ code: 4 });
  });

  test("check and gc are followed to their end", async () => {
    await pushed("checked");
    expect(await admin("check")).toMatch(/^done: \d+ paths, \d+ NARs\nclean\n$/);
    expect(JSON.parse(await admin("gc", "--dry-run", "--json"))).toMatchObject({ done: true, dry_run: true });
    expect(await admin("gc", "--status")).toContain("done (dry run)");
  });

  test("delete", async () => {
    const path = await pushed("deleted");
    expect(await admin("delete", path)).toBe(`deleted ${path.slice(11)}\n`);
    expect(await nixCache(client, server.url, "admin", "path", path)).toMatchObject({ code: 4 });
    expect(await nixCache(client, server.url, "push", "delete", path)).toMatchObject({ code: 4 });
  });
});
