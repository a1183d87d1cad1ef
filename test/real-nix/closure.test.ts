// The product in one test: a closure is pushed with `nix copy` and pulled identical and signed.
import { beforeAll, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient } from "./nix.ts";
import { serve } from "./serve.ts";

const SIZE = 300;

describeNix("a closure of 300 paths", () => {
  const key = newKey("cache.test-1");
  const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: key.secret });
  let pusher: Client;
  let top: string;

  beforeAll(async () => {
    pusher = newClient({ token: "push" });
    top = await generateClosure(pusher, SIZE);
    await pusher.nix("copy", "--to", server.url, top);
  });

  test("comes out identical by nix copy, signatures required", async () => {
    const puller = newClient({ conf: [`trusted-public-keys = ${key.public}`] });
    await puller.nix("copy", "--from", server.url, top);
    await expectSameClosure(pusher, puller, top, SIZE);
    await puller.nix("store", "verify", "-r", top);
  });

  test("comes out identical by substitution", async () => {
    const puller = newClient({
      conf: [`trusted-public-keys = ${key.public}`, `substituters = ${server.url}`],
    });
    await puller.nix("build", "--no-link", top);
    await expectSameClosure(pusher, puller, top, SIZE);
  });

  test("is refused by a client that does not trust the server's key", async () => {
    const other = newKey("cache.test-1");
    const puller = newClient({ conf: [`trusted-public-keys = ${other.public}`] });
    const result = await puller.run("copy", "--from", server.url, top);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain("signature");
  });

  test("is not sent again", async () => {
    const again = newClient({ token: "push" });
    await again.nix("copy", "--no-check-sigs", "--from", server.url, top);
    const { code, stderr } = await again.run("copy", "--to", server.url, top);
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain("copying path");
  });
});
