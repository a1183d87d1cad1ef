// Permissions to push and pull, and the messages of refusals.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, removeScratch } from "./nix.ts";
import { type Server, startServer } from "./server.ts";

const SIZE = 42;

describeNix("access", () => {
  const key = newKey("cache.test-1");
  const trust = [`trusted-public-keys = ${key.public}`];
  afterAll(removeScratch);

  /** Runs a group of tests against a server of this configuration. */
  function withServer(
    name: string,
    variables: Record<string, string>,
    tests: (get: () => Server) => void,
  ): void {
    describe(name, () => {
      let server: Server;
      beforeAll(async () => {
        server = await startServer(variables);
      });
      afterAll(() => server.stop());
      tests(() => server);
    });
  }

  /** Nix's error for a refused push: it must contain the server's message. */
  async function expectRefused(client: Client, server: Server, status: number): Promise<void> {
    const top = await generateClosure(client, SIZE);
    const authorization =
      client.token === undefined ? {} : { authorization: `Basic ${btoa(`any:${client.token}`)}` };
    const response = await fetch(`${server.url}/log/${"0".repeat(32)}-x.drv`, {
      method: "PUT",
      headers: authorization,
      body: "x",
    });
    const line = (await response.text()).trim();
    expect(response.status).toBe(status);
    expect(line).not.toBe("");
    const { code, stderr } = await client.run("copy", "--to", server.url, top);
    expect(code).not.toBe(0);
    expect(stderr).toContain(line);
  }

  withServer("a public cache", { PUSH_TOKEN: "push", SIGNING_KEY: key.secret }, (get) => {
    test("a wrong token", () => expectRefused(newClient({ token: "wrong" }), get(), 401));
    test("no token", () => expectRefused(newClient(), get(), 401));
  });

  withServer("a cache without PUSH_TOKEN", { SIGNING_KEY: key.secret }, (get) => {
    test("says so to a pusher", async () => {
      await expectRefused(newClient({ token: "push" }), get(), 403);
      const response = await fetch(`${get().url}/log/${"0".repeat(32)}-x.drv`, { method: "PUT", body: "x" });
      expect(await response.text()).toContain("PUSH_TOKEN");
    });
  });

  withServer(
    "a private cache",
    { PUSH_TOKEN: "push", PULL_TOKEN: "pull", SIGNING_KEY: key.secret },
    (get) => {
      let pusher: Client;
      let top: string;
      beforeAll(async () => {
        pusher = newClient({ token: "push" });
        top = await generateClosure(pusher, SIZE);
        await pusher.nix("copy", "--to", get().url, top);
      });
      test("is closed to a client without a token", async () => {
        const { code } = await newClient({ conf: trust }).run("copy", "--from", get().url, top);
        expect(code).not.toBe(0);
      });
      test.each(["pull", "push"])("is open to the %s token", async (token) => {
        const puller = newClient({ token, conf: trust });
        await puller.nix("copy", "--from", get().url, top);
        await expectSameClosure(pusher, puller, top, SIZE);
      });
      test("takes the token from the URL as well", async () => {
        const url = get().url.replace("//", "//any:pull@");
        await newClient({ conf: trust }).nix("copy", "--from", url, top);
      });
      test("takes no push with the pull token", () =>
        expectRefused(newClient({ token: "pull" }), get(), 403));
    },
  );

  const trusted = newKey("trusted-1");
  withServer(
    "a cache that trusts one key",
    { PUSH_TOKEN: "push", TRUSTED_PUBLIC_KEYS: trusted.public },
    (get) => {
      test("takes what the client signs with it", async () => {
        const pusher = newClient({ token: "push" });
        const top = await generateClosure(pusher, SIZE);
        await pusher.nix(
          "copy",
          "--to",
          `${get().url}?secret-key=${pusher.write("key", trusted.secret)}`,
          top,
        );
        const puller = newClient({ conf: [`trusted-public-keys = ${trusted.public}`] });
        await puller.nix("copy", "--from", get().url, top);
        await expectSameClosure(pusher, puller, top, SIZE);
      });
      test("takes what was signed in the client's store", async () => {
        const pusher = newClient({ token: "push" });
        const top = await generateClosure(pusher, SIZE);
        await pusher.nix("store", "sign", "-r", "-k", pusher.write("key", trusted.secret), top);
        await pusher.nix("copy", "--to", get().url, top);
      });
      test("refuses unsigned paths", async () => {
        const pusher = newClient({ token: "push" });
        const top = await generateClosure(pusher, SIZE);
        const { code, stderr } = await pusher.run("copy", "--to", get().url, top);
        expect(code).not.toBe(0);
        expect(stderr).toContain("no valid signature by a key that this cache trusts");
      });
      test("refuses what another key signed", async () => {
        const pusher = newClient({ token: "push" });
        const top = await generateClosure(pusher, SIZE);
        const other = newKey("trusted-1");
        const { code, stderr } = await pusher.run(
          "copy",
          "--to",
          `${get().url}?secret-key=${pusher.write("key", other.secret)}`,
          top,
        );
        expect(code).not.toBe(0);
        expect(stderr).toContain("no valid signature by a key that this cache trusts");
      });
    },
  );
});
