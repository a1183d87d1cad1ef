/** Kinds of damage to a bucket and its catalog, with the expected findings of a check. */
import { env } from "cloudflare:workers";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import type { FindingKind } from "../../../src/contract/findings.ts";
import { baseNameOf, type Closure, hashOf, withInfo } from "../../support/closure.ts";
import { inCatalog, publishPath, reindex, storePath } from "../../support/runs.ts";
import { sha256, type TestPath, testPath } from "../../support/store-paths.ts";

export type Found = Partial<Record<FindingKind, readonly string[]>>;

export interface Expectation {
  readonly found: Found;
  /** What a repair finds besides, or not any more, because of what it has repaired before. */
  readonly foundByRepair?: Found;
  /** What is still found after the repair. Absent: nothing. */
  readonly left?: Found;
  /** Keys that the repair takes from the bucket. Absent: none. */
  readonly deleted?: readonly string[];
}

export interface Damage {
  readonly name: string;
  /** Damages a bucket that holds this closure. */
  readonly damage: (paths: Closure) => Promise<Expectation>;
}

const SIGNATURE = `Sig: signer-1:${new Uint8Array(64).toBase64()}\n`;

/** Another path with the application's NAR. */
async function twinOf({ app }: Closure): Promise<TestPath> {
  const { storePath } = (await testPath("twin-1.0")).info;
  const path = withInfo(app, { storePath, references: [] });
  return { ...path, key: `${storePath.hash}.narinfo` };
}

export const DAMAGES: readonly Damage[] = [
  { name: "nothing", damage: async () => ({ found: {} }) },
  {
    name: "a narinfo is gone",
    damage: async ({ packed }) => {
      await env.BUCKET.delete(packed.key);
      return { found: { "vanished-narinfo": [baseNameOf(packed)] } };
    },
  },
  {
    name: "a narinfo is gone to which others refer",
    damage: async ({ library }) => {
      await env.BUCKET.delete(library.key);
      const missing: Found = { "missing-reference": [baseNameOf(library)] };
      return {
        found: { "vanished-narinfo": [baseNameOf(library)] },
        foundByRepair: missing,
        left: missing,
      };
    },
  },
  {
    name: "another tool has put a path",
    damage: async () => {
      const path = await testPath("other-1.0");
      await storePath(path);
      return {
        found: { "unindexed-narinfo": [baseNameOf(path)], "unindexed-nar": [path.narKey] },
        // The path has brought it along.
        foundByRepair: { "unindexed-nar": [] },
      };
    },
  },
  {
    name: "another tool has rewritten a narinfo",
    damage: async ({ app }) => {
      await env.BUCKET.put(app.key, app.text + SIGNATURE);
      return { found: { "unindexed-narinfo": [baseNameOf(app)] } };
    },
  },
  {
    name: "another tool has put a path without its NAR and without what it refers to",
    damage: async () => {
      const missing = "00000000000000000000000000000000-nowhere";
      const path = await testPath("other-1.0", "other", { references: [missing] });
      await env.BUCKET.put(path.key, path.text);
      const left: Found = { "missing-reference": [missing] };
      return {
        found: { "unindexed-narinfo": [baseNameOf(path)], "missing-nar": [baseNameOf(path)], ...left },
        // What refers to it has been deleted. And the catalog has believed the narinfo that there is a NAR.
        foundByRepair: { "missing-reference": [], "vanished-nar": [path.narKey] },
        deleted: [path.key],
      };
    },
  },
  {
    name: "a narinfo is no narinfo",
    damage: async ({ packed }) => {
      await env.BUCKET.put(packed.key, "<html>");
      return { found: { "unreadable-narinfo": [hashOf(packed)] }, deleted: [packed.key] };
    },
  },
  {
    name: "a narinfo lies under another path's key",
    damage: async ({ app }) => {
      const { key, info } = await testPath("other-1.0");
      await env.BUCKET.put(key, app.text);
      return { found: { "unreadable-narinfo": [info.storePath.hash] }, deleted: [key] };
    },
  },
  {
    name: "a narinfo is of another store",
    damage: async ({ packed }) => {
      await env.BUCKET.put(packed.key, packed.text.replaceAll("/nix/store", "/gnu/store"));
      const found: Found = { "unreadable-narinfo": [hashOf(packed)] };
      return { found, left: found };
    },
  },
  {
    name: "a NAR is gone",
    damage: async ({ packed }) => {
      await env.BUCKET.delete(packed.narKey);
      return {
        found: { "missing-nar": [baseNameOf(packed)], "vanished-nar": [packed.narKey] },
        deleted: [packed.key],
      };
    },
  },
  {
    name: "the NAR of a path is gone to which others refer",
    damage: async ({ library }) => {
      await env.BUCKET.delete(library.narKey);
      const missing: Found = { "missing-reference": [baseNameOf(library)] };
      return {
        found: { "missing-nar": [baseNameOf(library)], "vanished-nar": [library.narKey] },
        foundByRepair: missing,
        left: missing,
        deleted: [library.key],
      };
    },
  },
  {
    name: "a NAR has another SHA-256 than its name says",
    damage: async ({ packed }) => {
      const other = packed.nar.toReversed();
      await env.BUCKET.put(packed.narKey, other, { sha256: (await sha256(other)).bytes });
      return { found: { "damaged-nar": [baseNameOf(packed)] }, deleted: [packed.key, packed.narKey] };
    },
  },
  {
    name: "a NAR has been cut, and R2 has no SHA-256 of it",
    damage: async ({ packed }) => {
      await env.BUCKET.put(packed.narKey, packed.nar.slice(0, 3));
      return { found: { "damaged-nar": [baseNameOf(packed)] }, deleted: [packed.key, packed.narKey] };
    },
  },
  {
    name: "a NAR has other bytes of the same number, and R2 has no SHA-256 of it: nobody can tell",
    damage: async ({ packed }) => {
      await env.BUCKET.put(packed.narKey, packed.nar.toReversed());
      return { found: {} };
    },
  },
  {
    name: "a NAR has been cut that two paths have",
    damage: async (paths) => {
      const twin = await twinOf(paths);
      const { app } = paths;
      await publishPath(twin);
      await env.BUCKET.put(app.narKey, "");
      const missing: Found = { "missing-reference": [baseNameOf(app)] };
      return {
        found: { "damaged-nar": [baseNameOf(app), baseNameOf(twin)].sort() },
        foundByRepair: missing,
        left: missing,
        deleted: [app.key, app.narKey, twin.key],
      };
    },
  },
  {
    name: "one of two narinfos says the wrong size of the NAR that both have",
    damage: async (paths) => {
      const twin = await twinOf(paths);
      await publishPath(twin);
      await env.BUCKET.put(twin.key, withInfo(twin, { fileSize: 1 }).text);
      await inCatalog(reindex);
      return { found: { "damaged-nar": [baseNameOf(twin)] }, deleted: [twin.key] };
    },
  },
  {
    name: "a narinfo says the wrong size of a NAR that is what its name says",
    damage: async ({ packed }) => {
      await env.BUCKET.put(packed.key, withInfo(packed, { fileSize: 1 }).text);
      await inCatalog(reindex);
      return { found: { "damaged-nar": [baseNameOf(packed)] }, deleted: [packed.key] };
    },
  },
  {
    name: "a narinfo describes another NAR than the one that it names, of which R2 has no SHA-256",
    damage: async ({ packed }) => {
      await env.BUCKET.put(packed.narKey, packed.nar);
      const { narHash: fileHash } = packed.info;
      await env.BUCKET.put(packed.key, withInfo(packed, { fileHash, fileSize: 1 }).text);
      await inCatalog(reindex);
      // It is unknown which of them is wrong: other narinfos may be right about this NAR.
      return { found: { "damaged-nar": [baseNameOf(packed)] }, deleted: [packed.key] };
    },
  },
  {
    name: "a NAR is damaged whose name is no hash",
    damage: async () => {
      const path = await testPath("odd-1.0", "odd", { url: "nar/odd.nar" });
      await publishPath(path);
      await env.BUCKET.put(path.narKey, "");
      return { found: { "damaged-nar": [baseNameOf(path)] }, deleted: [path.key] };
    },
  },
  {
    name: "an object under nar/ belongs to nothing, since a short while",
    damage: async () => {
      await env.BUCKET.put("nar/unknown.nar", "of nobody");
      return { found: { "unindexed-nar": ["nar/unknown.nar"] } };
    },
  },
  {
    name: "a NAR is gone that no path has any more",
    damage: async ({ packed }) => {
      await inCatalog((c) => deletePath(c, hashOf(packed), false));
      await env.BUCKET.delete(packed.narKey);
      return { found: { "vanished-nar": [packed.narKey] } };
    },
  },
];
