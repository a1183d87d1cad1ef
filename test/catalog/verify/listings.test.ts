// Listings that the cache makes (`listings = true`): one for each path, once, where none was pushed.
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import type { Config } from "../../../src/config/config.ts";
import { parseNarInfo } from "../../../src/nix/narinfo.ts";
import { narInfos } from "../../nix/fixtures.ts";
import { recorded } from "../../support/catalog.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, inCatalog, later, value } from "../../support/runs.ts";
import { compressedPath, testPath } from "../../support/store-paths.ts";
import { listingText, narFile } from "../../verify/support.ts";

captureLog();
afterEach(() => reset());

type Listed = Pick<Config, "listings" | "isOpen" | "verify">;
const LISTED: Listed = { listings: true, isOpen: true, verify: "after" };

interface Pushed {
  readonly key: string;
  readonly narKey: string;
  readonly nar: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

/** Pushes a path, then lets the queue do all its work: operations of the bucket for the path, for each of the two. */
async function pushListed({ narKey, nar, text }: Pushed, changes: Partial<Listed> = {}) {
  await value(catalog().announceNar({ key: narKey, size: nar.length }));
  await env.BUCKET.put(narKey, nar, { sha256: await crypto.subtle.digest("SHA-256", nar) });
  const config = { ...(await inCatalog((c) => c.config)), ...LISTED, ...changes };
  const operations = async (run: (c: CatalogContext) => Promise<unknown>, at = {}) =>
    (await recorded(run, {}, { config, ...at })).operations;
  return {
    pushed: await operations((c) => publish(c, text, "PUSH_TOKEN")),
    verified: await operations(verifyQueued, later(60_000)),
  };
}

const listing = async (key: string) => (await env.BUCKET.get(key.replace(".narinfo", ".ls")))?.text();

const large = () => testPath("large-1.0", "x".repeat(200_000));

describe.each(narInfos)("Nix $version, $folder, $hash", ({ version, folder, hash, text }) => {
  it("gets the listing that Nix writes", async () => {
    const { url } = parseNarInfo(text, "/nix/store");
    const expected = listingText(`nix-${version}/${folder}/${hash}.ls`);
    await pushListed({
      ...{ key: `${hash}.narinfo`, narKey: url, text },
      nar: await narFile(`nix-${version}/${folder}/${url}`),
    });
    const made = await listing(`${hash}.narinfo`);
    expect(JSON.parse(made ?? "")).toMatchObject({ version: 1 });
    if (expected === undefined) return;
    // Nix 2.8 writes the keys in another order.
    if (version === "2.8.0") expect(JSON.parse(made ?? "")).toEqual(JSON.parse(expected));
    else expect(made).toBe(expected);
  });
});

describe("a listing", () => {
  it.each<{ what: string; path: () => Promise<Pushed>; verify: Config["verify"] }>([
    { what: "a small NAR", path: () => testPath(), verify: "after" },
    { what: "a large NAR", path: large, verify: "after" },
    { what: "a large compressed NAR", path: () => compressedPath("z", "x".repeat(200_000)), verify: "after" },
    { what: "a small NAR, before it is served", path: () => testPath(), verify: "before" },
    { what: "a large NAR, before it is served", path: large, verify: "before" },
  ])("of $what costs one read and one write, once", async ({ path, verify }) => {
    const pushed = await path();
    const { key, narKey } = pushed;
    const { verified } = await pushListed(pushed, { verify });
    expect(verified).toEqual([`get ${narKey}`, `put ${key.replace(".narinfo", ".ls")}`]);
    expect(await listing(key)).toMatch(
      /^\{"root":\{"narOffset":96,"size":\d+,"type":"regular"\},"version":1\}$/,
    );
    expect((await pushListed(pushed, { verify })).verified).toEqual([]);
  });

  it("that was pushed stays", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.key.replace(".narinfo", ".ls"), "pushed");
    await pushListed(path);
    expect(await listing(path.key)).toBe("pushed");
  });

  it("is made for a second path with the same NAR, and the first gets no other", async () => {
    const [first, second] = [await testPath("a", "the same"), await testPath("b", "the same")];
    await pushListed(first);
    await inCatalog(({ sql }) => sql.exec("UPDATE paths SET last_push = last_push - 3600000"));
    const { verified } = await pushListed(second);
    expect(verified).toEqual([`get ${second.narKey}`, `put ${second.key.replace(".narinfo", ".ls")}`]);
  });

  it.each<Partial<Listed>>([{ listings: false }, { verify: "off" }])(
    "is not made with %o",
    async (changes) => {
      const path = await testPath();
      expect((await pushListed(path, changes)).verified).toEqual([]);
      expect(await listing(path.key)).toBeUndefined();
    },
  );
});
