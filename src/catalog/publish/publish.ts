// Publishes a narinfo. A crash after any line is harmless: the intent is durable before the bucket is written, the
// narinfo is written only once its NAR and references are present and protected, and the index is updated last.

import { isWritable } from "../../bucket/conditional.ts";
import type { PublishOutcome, PublishResult, UpstreamPath } from "../../contract/paths.ts";
import type { RecentNar } from "../../contract/uploads.ts";
import type { WriteCondition } from "../../http/preconditions.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import type { Publication } from "../publication.ts";
import { Refused } from "../refuse.ts";
import { recordDifferingBuild } from "../rows/differing-builds.ts";
import { indexPublication } from "../rows/index-path.ts";
import { missingNames, pathRow } from "../rows/paths.ts";
import { type Needs, setNeeds } from "../rows/publications.ts";
import { referenceHashes } from "../rows/references.ts";
import { saveUpstreamPaths } from "../rows/upstream-paths.ts";
import { type Decision, decide, MAX_LOOKUPS, type Push } from "./decide.ts";
import { touchPaths } from "./last-use.ts";
import { withNixName } from "./nar-name.ts";
import { inspectPublished, readable } from "./published.ts";
import { resolveExpired, resolveKey } from "./resolve.ts";
import { type Confirmed, publishing, type StoredNarInfo, writeNarInfo } from "./write-narinfo.ts";

/**
 * References of a narinfo: an intent names those of the new one and of the stored one, and a row has room for 2 MB. The
 * largest system closures have some thousands.
 */
const MAX_REFERENCES = 20_000;
/** Retries before reporting that the narinfo keeps changing concurrently. */
const MAX_ATTEMPTS = 4;

/**
 * Publishes a narinfo that has been parsed and found trustworthy. `upstream` is what upstreams have of its references, or
 * that they are to be asked; `nar` its NAR, if that was put into the bucket just now. Throws {@link Refused}:
 * too-many-references, unknown-references, modified-concurrently, and what {@link decide} throws.
 */
export async function publish(
  c: CatalogContext,
  text: string,
  pushedBy: string,
  upstream?: "ask" | readonly UpstreamPath[],
  nar?: RecentNar,
): Promise<PublishOutcome> {
  return (await publishIf(c, text, pushedBy, {}, upstream, nar)).outcome;
}

/** The same if the conditions hold for the narinfo that is here. Throws {@link Refused} precondition-failed, too. */
export async function publishIf(
  c: CatalogContext,
  text: string,
  pushedBy: string,
  condition: WriteCondition,
  upstream: "ask" | readonly UpstreamPath[] = [],
  nar?: RecentNar,
): Promise<PublishResult> {
  await prepare(c, upstream);
  const incoming = withNixName(c, parseNarInfo(text, c.config.storeDir));
  return publishOne(c, incoming, { pushedBy, condition, upstream, lookups: { left: MAX_LOOKUPS }, nar });
}

/** What comes before one publication, or several that a request asks for. */
export async function prepare(c: CatalogContext, upstream: "ask" | readonly UpstreamPath[]): Promise<void> {
  if (upstream !== "ask") saveUpstreamPaths(c, upstream);
  await resolveExpired(c);
}

export interface Terms {
  readonly pushedBy: string;
  readonly condition: WriteCondition;
  readonly upstream: "ask" | readonly UpstreamPath[];
  /** As far as the request has used them. */
  readonly lookups: Push["lookups"];
  readonly nar?: RecentNar | undefined;
}

/** Publishes one path after {@link prepare}; throws as {@link publishIf}. */
export function publishOne(
  c: CatalogContext,
  incoming: NarInfo,
  { pushedBy, condition, upstream, lookups, nar }: Terms,
): Promise<PublishResult> {
  const { hash, baseName } = incoming.storePath;
  const count = incoming.references.length;
  if (count > MAX_REFERENCES) {
    throw new Refused({ kind: "too-many-references", path: baseName, count, most: MAX_REFERENCES });
  }
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    const row = pathRow(c, hash);
    const stored = row && {
      text: row.narinfo,
      etag: row.etag,
      firstPush: row.first_push,
      lastPush: row.last_push,
    };
    return publishing(c, hash, needsOf(c, incoming, stored), async (publication) => {
      const absent = missingNames(c, incoming);
      if (upstream === "ask" && c.config.upstreams.length > 0 && absent.length > 0) {
        throw new Refused({ kind: "unknown-references", unknown: absent });
      }
      const wereHere = { is: absent.length === 0, deletions: c.deletions.count };
      return publishLocked(c, { incoming, wereHere, lookups, pushedBy, condition, publication, nar }, stored);
    });
  });
}

interface Pushed {
  readonly incoming: NarInfo;
  readonly wereHere: Push["wereHere"];
  readonly lookups: Push["lookups"];
  readonly pushedBy: string;
  readonly condition: WriteCondition;
  readonly publication: Publication;
  readonly nar: RecentNar | undefined;
}

interface Stored extends StoredNarInfo {
  /** Milliseconds since the epoch; absent where an unreadable narinfo is to be replaced. */
  readonly firstPush?: number;
  /** The same. */
  readonly lastPush?: number;
}

/** The needs of both the new narinfo and the stored one: the bucket may hold either in the end. */
function needsOf(c: CatalogContext, incoming: NarInfo, stored: Stored | undefined): Needs {
  const infos = [incoming, (stored && readable(stored.text, c.config.storeDir)) ?? incoming];
  return {
    nars: [...new Set(infos.map((info) => narPlaceOf(info.url).key))],
    references: [...new Set(infos.flatMap(referenceHashes))],
  };
}

async function publishLocked(
  c: CatalogContext,
  pushed: Pushed,
  known: Stored | undefined,
): Promise<PublishResult> {
  const { incoming, wereHere, lookups, condition, publication, nar: recent } = pushed;
  const { hash } = incoming.storePath;
  // The bucket may have a narinfo that is not indexed.
  let stored = known ?? (condition.ifMatch === undefined ? undefined : await storedInBucket(c, hash));
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    requireWritable(condition, hash, stored);
    const needs = needsOf(c, incoming, stored);
    if (attempt > 0) setNeeds(c, publication, needs);
    // No deletion of these begins from here on. One that began before must be over before the NAR is looked at.
    for (const nar of needs.nars) await c.locks.run(nar, () => resolveKey(c, nar));
    const decision = await decide(c, { publication, wereHere, lookups, recent }, incoming, stored);
    const published = await write(c, pushed, decision, stored);
    if (published !== undefined) return published;
    stored = await storedInBucket(c, hash);
  }
  throw new Refused({ kind: "modified-concurrently", key: `${hash}.narinfo` });
}

/** The write that follows happens only over `stored`. Throws {@link Refused}. */
function requireWritable(condition: WriteCondition, hash: string, stored: Stored | undefined): void {
  const uploaded = new Date(stored?.lastPush ?? stored?.read ?? 0);
  const current = stored === undefined ? null : { key: `${hash}.narinfo`, etag: stored.etag, uploaded };
  if (!isWritable(condition, current)) throw new Refused({ kind: "precondition-failed" });
}

/** Writes what was decided, then rows and edge; `undefined` where the bucket holds something else than `stored`. */
async function write(
  c: CatalogContext,
  { incoming, pushedBy, publication }: Pushed,
  { keepsExisting, ...path }: Decision,
  stored: Stored | undefined,
): Promise<PublishResult | undefined> {
  const { hash } = incoming.storePath;
  const push = { pushedBy, firstPush: stored?.firstPush ?? c.now() };
  const confirm = async (confirmed: Confirmed) => {
    const isWritten = confirmed.kind === "written";
    publication.nar = c.transaction(() => {
      if (keepsExisting) {
        recordDifferingBuild(c, incoming, pushedBy);
        touchPaths(c, [hash]);
      }
      // A build that is kept as the row has it is not pushed again.
      const isRowCurrent = keepsExisting && !isWritten && stored?.read === undefined;
      return isRowCurrent ? undefined : indexPublication(c, { ...path, ...confirmed, ...push });
    });
    if (stored !== undefined && isWritten) await c.purge([`/${hash}.narinfo`]);
  };
  const written = await writeNarInfo(c, { hash, text: path.text, stored, push }, confirm);
  if (written.kind === "conflict") return undefined;
  return { outcome: outcomeOf(keepsExisting, stored, written.kind), etag: written.etag };
}

function outcomeOf(
  keepsExisting: boolean,
  stored: Stored | undefined,
  kind: Confirmed["kind"],
): PublishOutcome {
  if (keepsExisting) return "kept-existing";
  if (stored === undefined) return "created";
  return kind === "written" ? "updated" : "unchanged";
}

/** Reads the narinfo after a conflict: another tool has written or deleted it. */
async function storedInBucket(c: CatalogContext, hash: string): Promise<Stored | undefined> {
  const found = await inspectPublished(c, hash);
  if (found === undefined) return undefined;
  return "unreadable" in found ? { text: "", etag: found.etag } : { ...found, read: found.uploaded };
}
