/** What may happen while a run goes over the bucket, at any of its operations. */
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { announceNar } from "../../../src/catalog/publish/announce-nar.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { settlePublications } from "../../../src/catalog/rows/publications.ts";
import { failing, inSmallPages, isDelete, type Operation, watch } from "../../support/bucket.ts";
import { withSignature } from "../../support/catalog.ts";
import { type Closure, hashOf } from "../../support/closure.ts";
import { rows } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

/** Leaves nothing to be found: the catalog says what the bucket says. */
export type Event = (c: CatalogContext, paths: Closure) => Promise<unknown>;

export const EVENTS: readonly (readonly [string, Event])[] = [
  ["a path is published", (c) => publishNew(c, { hasChecksum: true })],
  ["a path is published whose NAR has no checksum", (c) => publishNew(c, { hasChecksum: false })],
  ["a path is signed", (c, { library }) => publish(c, withSignature(library.text, "s"), "meanwhile")],
  ["a path is deleted", (c, { packed }) => deletePath(c, hashOf(packed), false)],
  [
    "a path is deleted with its referrers, and their NARs swept",
    async (c, { library }) => {
      await deletePath(c, hashOf(library), true);
      await sweepAll(c);
    },
  ],
  [
    "paths are deleted one by one, and their NARs swept",
    async (c, { all }) => {
      for (const path of [...all].reverse()) await deletePath(c, hashOf(path), false);
      await sweepAll(c);
    },
  ],
  [
    "a deletion fails, and is finished later",
    async (c, { packed }) => {
      const { bucket } = watch(c.bucket, failing(isDelete));
      await deletePath({ ...c, bucket }, hashOf(packed), false).catch(() => {});
    },
  ],
  [
    "a path is deleted and published again",
    async (c, { packed }) => {
      await deletePath(c, hashOf(packed), false);
      await publish(c, packed.text, "meanwhile");
    },
  ],
];

/** Uploads the NAR of a path that the catalog does not know. Gives its narinfo. */
export async function uploadNew(c: CatalogContext, { hasChecksum = false } = {}): Promise<string> {
  const { narKey, nar, text } = await testPath("new-1.0");
  await announceNar(c, { key: narKey, size: nar.length });
  await c.bucket.put(narKey, nar, hasChecksum ? { sha256: await crypto.subtle.digest("SHA-256", nar) } : {});
  return text;
}

async function publishNew(c: CatalogContext, options: { hasChecksum: boolean }): Promise<void> {
  await publish(c, await uploadNew(c, options), "meanwhile");
}

/** Without a grace period, a moment after everything else. */
async function sweepAll(c: CatalogContext): Promise<void> {
  await sweepNars({ ...c, now: () => Date.now() + 1000 }, 0);
}

interface Aftermath<T> {
  /** Whether the run had so many operations at all. */
  readonly happened: boolean;
  /** What the run gave. */
  readonly result: T;
  /** What the catalog says when both are over. */
  readonly found: ReturnType<typeof rows>;
}

/** Does a run in small pages. Right after its bucket operation number `at`, counted from 0, something happens. */
export async function during<T>(
  c: CatalogContext,
  at: number,
  event: () => Promise<unknown>,
  run: (c: CatalogContext) => Promise<T>,
): Promise<Aftermath<T>> {
  let happening: Promise<unknown> | undefined;
  const after = async ({ number }: Operation) => {
    if (number !== at) return;
    happening = event();
    // It may wait for a lock that this very operation's holder has: then it comes right after.
    await Promise.race([happening, scheduler.wait(50)]);
  };
  const { bucket } = watch(inSmallPages(c.bucket, 2), { after });
  const result = await run({ ...c, bucket });
  await happening;
  await resolveExpired(c);
  settlePublications(c);
  return { happened: happening !== undefined, result, found: rows(c) };
}
