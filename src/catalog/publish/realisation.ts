// Publishes a realisation, by the rules of narinfos: the first output stays, later pushes add signatures, the cache signs.
// A crash after any line is harmless: the row that lets the object go with its path is durable before the bucket is
// written, and the object replaces only what was read.

import { isWritable } from "../../bucket/conditional.ts";
import type { PublishOutcome, PublishResult } from "../../contract/paths.ts";
import type { WriteCondition } from "../../http/preconditions.ts";
import { parseRealisation, type Realisation } from "../../nix/realisation.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { hasCompanion, requireRoom, saveCompanion } from "../rows/companions.ts";
import { recordDifferingRealisation } from "../rows/differing-realisations.ts";
import { deletionIntentWith } from "../rows/intents.ts";
import { pathRow } from "../rows/paths.ts";
import { importPathFromBucket } from "./import.ts";
import { endDeletionsOf, touchPaths } from "./last-use.ts";
import { mergedAndSigned, saysTheSame, trustedKeyOf } from "./realisation-signatures.ts";
import {
  readRealisation,
  type StoredRealisation,
  type UnreadableRealisation,
  type Vouched,
  writeRealisation,
} from "./stored-realisation.ts";

/** Tries before the client is told that the realisation, or its path, keeps changing. */
const MAX_ATTEMPTS = 4;
const HASH_LENGTH = 32;

/**
 * Publishes a realisation that has been found well-formed. Throws {@link Refused}: untrusted-realisation,
 * realisation-too-large, too-many-companions or modified-concurrently. It takes one bucket operation, or a read and a write where the
 * realisation is here already.
 */
export async function publishRealisation(
  c: CatalogContext,
  key: string,
  text: string,
  pushedBy: string,
): Promise<PublishOutcome> {
  return (await publishRealisationIf(c, key, text, pushedBy, {})).outcome;
}

/** The same if the conditions hold for the object that is here. Throws {@link Refused} precondition-failed, too. */
export async function publishRealisationIf(
  c: CatalogContext,
  key: string,
  text: string,
  pushedBy: string,
  condition: WriteCondition,
): Promise<PublishResult> {
  const realisation = parseRealisation(key, text);
  const incoming = { realisation, trustedBy: await requireTrustedKey(c, key, realisation) };
  // Always in this order; no operation on a path takes the lock of a realisation.
  return c.locks.run(key, async () => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await endDeletionsOf(c, key);
      // The path is not deleted while its realisation is written, which would then stay for ever.
      const outcome = await c.locks.run(hashOf(realisation), async () => {
        if (deletionIntentWith(c, key) !== undefined) return undefined;
        const isUnknown = attempt === 0 && Object.keys(condition).length === 0 && !hasCompanion(c, key);
        const stored = isUnknown ? undefined : await readRealisation(c, key);
        if (!isWritable(condition, stored === undefined ? null : { key, ...stored })) {
          throw new Refused({ kind: "precondition-failed" });
        }
        return publishOver(c, key, stored, incoming, pushedBy);
      });
      if (outcome !== undefined) return outcome;
    }
    throw new Refused({ kind: "modified-concurrently", key });
  });
}

/** Without trusted keys none vouches, and none is required. */
async function requireTrustedKey(
  c: CatalogContext,
  key: string,
  realisation: Realisation,
): Promise<string | undefined> {
  const trustedBy = await trustedKeyOf(c, { realisation, trustedBy: undefined });
  const { trusted } = await c.config.keys();
  if (trustedBy !== undefined || trusted.length === 0) return trustedBy;
  throw new Refused({ kind: "untrusted-realisation", key, trusted: trusted.map(({ name }) => name) });
}

/** `undefined` where the bucket does not hold what was read. */
async function publishOver(
  c: CatalogContext,
  key: string,
  stored: StoredRealisation | UnreadableRealisation | undefined,
  incoming: Vouched,
  pushedBy: string,
): Promise<PublishResult | undefined> {
  const first = stored === undefined || "unreadable" in stored ? undefined : stored;
  const merged = await merge(c, first, incoming);
  if (merged === "kept-existing") {
    const owner = hashOf(first?.realisation ?? incoming.realisation);
    c.transaction(() => {
      noteOwner(c, key, owner);
      recordDifferingRealisation(c, owner, incoming.realisation, pushedBy);
    });
    return { outcome: "kept-existing", etag: stored?.etag ?? "" };
  }
  c.transaction(() => noteOwner(c, key, hashOf(merged.realisation)));
  const isSame =
    first !== undefined &&
    first.trustedBy === merged.trustedBy &&
    saysTheSame(first.realisation, merged.realisation);
  if (isSame) return { outcome: "unchanged", etag: first.etag };
  const etag = await writeRealisation(c, key, merged, stored?.etag);
  if (etag === undefined) return undefined;
  if (stored === undefined) return { outcome: "created", etag };
  await c.purge([`/${key}`]);
  return { outcome: "updated", etag };
}

/** What the bucket should hold, if not what it holds already. */
async function merge(
  c: CatalogContext,
  first: Vouched | undefined,
  incoming: Vouched,
): Promise<Vouched | "kept-existing"> {
  const { realisation } = incoming;
  const base = first ?? incoming;
  const both = await mergedAndSigned(c, base.realisation, realisation);
  if (both !== undefined) {
    const trustedBy = (await trustedKeyOf(c, base)) ?? incoming.trustedBy ?? base.trustedBy;
    return { realisation: both, trustedBy };
  }
  const firstHash = hashOf(base.realisation);
  const isHere = pathRow(c, firstHash) !== undefined || (await importPathFromBucket(c, firstHash));
  if (isHere) return "kept-existing";
  // The first output is here no more, so that no client can use its realisation.
  return merge(c, undefined, incoming);
}

/** The object goes with this path, which a pusher relies on. */
function noteOwner(c: CatalogContext, key: string, hash: string): void {
  requireRoom(c, key, hash);
  touchPaths(c, [hash]);
  saveCompanion(c, key, hash);
}

function hashOf({ outPath }: Realisation): string {
  return outPath.slice(0, HASH_LENGTH);
}
