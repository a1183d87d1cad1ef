// Every compression that a client can write, of NARs and of metadata.
import { describe, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, nixAtLeast } from "./nix.ts";
import { serve } from "./serve.ts";
import { hashPart } from "./store-object.ts";

const SIZE = 42;

/** All that Nix 2.8 to 2.34 do without an outside program (lzop, lrzip and grzip call one). */
const COMPRESSIONS = ["none", "xz", "bzip2", "gzip", "zstd", "br", "lzip", "lz4", "compress"];
// Nix 2.8 aborts on some .lzma that it wrote itself, from a file:// cache too.
if (nixAtLeast(2, 26)) COMPRESSIONS.push("lzma");

describeNix("compression", () => {
  const key = newKey("cache.test-1");
  const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: key.secret });

  async function push(query: string): Promise<{ pusher: Client; top: string }> {
    const pusher = newClient({ token: "push" });
    const top = await generateClosure(pusher, SIZE);
    await pusher.nix("copy", "--to", `${server.url}?${query}`, top);
    return { pusher, top };
  }

  async function expectPullable(pusher: Client, top: string): Promise<void> {
    const puller = newClient({ conf: [`trusted-public-keys = ${key.public}`] });
    await puller.nix("copy", "--from", server.url, top);
    await expectSameClosure(pusher, puller, top, SIZE);
  }

  test.each(COMPRESSIONS)("NARs with %s", async (compression) => {
    const { pusher, top } = await push(`compression=${compression}`);
    const narinfo = await fetch(`${server.url}/${hashPart(top)}.narinfo`);
    expect(await narinfo.text()).toContain(`\nCompression: ${compression}\n`);
    await expectPullable(pusher, top);
  });

  describe.skipIf(!nixAtLeast(2, 32))("metadata (settings that Nix has since 2.32)", () => {
    test.each(["br", "gzip", "zstd"])("narinfos and listings with %s", async (encoding) => {
      const { pusher, top } = await push(
        `write-nar-listing=true&narinfo-compression=${encoding}&ls-compression=${encoding}`,
      );
      // The server decodes for a client without the coding.
      const headers = { "accept-encoding": "identity" };
      const narinfo = await fetch(`${server.url}/${hashPart(top)}.narinfo`, { headers });
      expect(await narinfo.text()).toContain(`StorePath: ${top}\n`);
      const listing = await fetch(`${server.url}/${hashPart(top)}.ls`, { headers });
      expect(await listing.json()).toMatchObject({ version: 1 });
      await expectPullable(pusher, top);
    });

    test("xz of a narinfo is refused, and the message names the setting", async () => {
      const pusher = newClient({ token: "push" });
      const top = await generateClosure(pusher, SIZE);
      const { code, stderr } = await pusher.run("copy", "--to", `${server.url}?narinfo-compression=xz`, top);
      expect(code).not.toBe(0);
      expect(stderr).toContain("narinfo-compression");
    });
  });
});
