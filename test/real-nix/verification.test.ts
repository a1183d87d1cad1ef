// What real Nix pushes is verified, and a path that is damaged on the builder's disk is found and healed.
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { newKey } from "./keys.ts";
import { LARGE_BYTES } from "./lies.ts";
import { type Client, describeNix, newClient } from "./nix.ts";
import { serve } from "./serve.ts";
import { hashPart } from "./store-object.ts";
import { expectVerified, narinfoOf, until } from "./verifying.ts";

const cacheKey = newKey("cache.test-1");

describeNix("real Nix", () => {
  const server = serve({ PUSH_TOKEN: "push", ADMIN_TOKEN: "admin", SIGNING_KEY: cacheKey.secret });

  test("a closure that was pushed with default settings ends verified", async () => {
    const pusher = newClient({ token: "push" });
    const top = await generateClosure(pusher, 60);
    await pusher.nix("copy", "--to", server.url, top);
    const closure = (await pusher.nix("path-info", "-r", top)).trim().split("\n");
    for (const path of closure) await expectVerified(server, hashPart(path));
  });

  describe("a store path that is damaged on the builder's disk", () => {
    let path = "";
    let pusher: Client;
    beforeAll(async () => {
      pusher = newClient({ token: "push" });
      const file = pusher.write("honest", randomBytes(LARGE_BYTES).toString("hex"));
      path = (await pusher.nix("store", "add-file", file)).trim();
    });

    test("is found, and the push of the repaired one heals the cache", async () => {
      const onDisk = `${pusher.root}${path}`;
      const honest = readFileSync(onDisk);
      chmodSync(onDisk, 0o644);
      writeFileSync(onDisk, Buffer.concat([Buffer.from("x"), honest.subarray(1)]));
      await pusher.run("copy", "--to", server.url, path);
      const found = await until(
        () => narinfoOf(server, hashPart(path)),
        (narinfo) => narinfo === undefined,
      );
      expect(found).toBeUndefined();
      writeFileSync(onDisk, honest);
      chmodSync(onDisk, 0o444);
      await pusher.nix("copy", "--narinfo-cache-positive-ttl", "0", "--to", server.url, path);
      await expectVerified(server, hashPart(path));
      const puller = newClient({ conf: [`trusted-public-keys = ${cacheKey.public}`] });
      await puller.nix("copy", "--from", server.url, path);
      expect(readFileSync(`${puller.root}${path}`).equals(honest)).toBe(true);
    });
  });
});
