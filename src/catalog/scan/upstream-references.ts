// References that are not here, asked of the upstreams by the catalog itself: a catalog that is built anew does not know
// what upstreams have, and one of an upstream that is new does not, either.
import type { UpstreamPath } from "../../contract/paths.ts";
import { findAll } from "../../upstream/upstreams.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { saveUpstreamPaths } from "../rows/upstream-paths.ts";

/** Questions of one step: the free plan allows an invocation 50 requests, and each upstream is asked. */
export function maxQuestions({ config }: Pick<CatalogContext, "config">): number {
  return Math.max(1, Math.floor(40 / Math.max(1, config.upstreams.length)));
}

/** As bucket operations of a step: an invocation that has asked for more than a few does no further step. */
export function costOfQuestions(count: number): number {
  return 5 * count;
}

/**
 * Which of these paths upstreams have; at most {@link maxQuestions}. `isDeleting`: whether they have them now. Throws
 * {@link Refused} too-many-questions.
 */
export async function askUpstreams(
  c: CatalogContext,
  hashes: readonly string[],
  isDeleting = false,
): Promise<UpstreamPath[]> {
  if (c.config.upstreams.length === 0 || hashes.length === 0) return [];
  // Those who may read this cache may read its private upstreams.
  const asker = { isPusher: false, mayRead: async () => true, isDeleting };
  const findings = await findAll(c.upstreams, hashes, asker);
  // To count these as absent would be wrong; a later invocation asks again.
  if ([...findings.values()].includes("not-asked")) {
    throw new Refused(
      { kind: "too-many-questions" },
      "the platform lets one invocation send no more requests to upstreams; it goes on later",
    );
  }
  return [...findings.values()].flatMap((finding) =>
    typeof finding === "string"
      ? []
      : { path: finding.info.storePath.baseName, upstream: finding.upstream.url },
  );
}

/** Remembers which of these paths upstreams have; at most {@link maxQuestions}. Returns the hash parts of the others. */
export async function askForReferences(c: CatalogContext, hashes: readonly string[]): Promise<string[]> {
  const found = await askUpstreams(c, hashes);
  saveUpstreamPaths(c, found);
  const isFound = new Set(found.map(({ path }) => path.slice(0, 32)));
  return hashes.filter((hash) => !isFound.has(hash));
}
