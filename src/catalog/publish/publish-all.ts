// Publishing the paths of one request: side by side, but each after those of them to which it refers.
import type { PublishOutcome, UpstreamPath } from "../../contract/paths.ts";
import type { NarInfoToPublish } from "../../contract/publishing.ts";
import type { Result } from "../../contract/result.ts";
import { parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { Refused, toResult } from "../refuse.ts";
import { referenceHashes } from "../rows/references.ts";
import { MAX_LOOKUPS } from "./decide.ts";
import { withNixName } from "./nar-name.ts";
import { prepare, publishOne, type Terms } from "./publish.ts";

/** Publications at once: the platform lets an invocation hold six connections. */
const CONCURRENCY = 6;
/** Milliseconds after which no further publication begins: one may wait a minute for its verification, and clients two. */
const PATIENCE_MS = 30_000;

/**
 * Publishes narinfos that have been parsed and found trustworthy; the results are in their order. `upstream` as for one
 * path. One that is refused does not stop the others. Refused put-off: what there was no time for.
 */
export async function publishAll(
  c: CatalogContext,
  narinfos: readonly NarInfoToPublish[],
  pushedBy: string,
  upstream: "ask" | readonly UpstreamPath[],
): Promise<Result<PublishOutcome>[]> {
  await prepare(c, upstream);
  const terms = { pushedBy, condition: {}, upstream };
  // The first has its own, so that every request goes on.
  const [own, shared] = [{ left: MAX_LOOKUPS }, { left: MAX_LOOKUPS }];
  const end = c.now() + PATIENCE_MS;
  const begun = new Map<string, Promise<unknown>>();

  const publishNext = (
    { narinfo, nar }: NarInfoToPublish,
    lookups: Terms["lookups"],
  ): Promise<Result<PublishOutcome>> => {
    const incoming = withNixName(c, parseNarInfo(narinfo, c.config.storeDir));
    const { hash, baseName } = incoming.storePath;
    const references = referenceHashes(incoming).flatMap((reference) => begun.get(reference) ?? []);
    const result = toResult(async () => {
      await Promise.all(references);
      if (c.now() > end) throw new Refused({ kind: "put-off", path: baseName });
      return (await publishOne(c, incoming, { ...terms, lookups, nar })).outcome;
    });
    begun.set(hash, result);
    return result;
  };

  const results: Result<PublishOutcome>[] = [];
  const waiting = narinfos.entries();
  const worker = async () => {
    // The entries are shared: each worker takes the next.
    for (const [index, narinfo] of waiting)
      results[index] = await publishNext(narinfo, index === 0 ? own : shared);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return results;
}
