// The detail of one path.
import {
  type ListedPath,
  MAX_COUNTED_REFERRERS,
  MAX_DIFFERING,
  MAX_PINS_OF_PATH,
  MAX_REFERENCES,
  MAX_REFERRERS,
} from "../../contract/paths.ts";
import type { Verification } from "../../contract/verification.ts";
import { formatHash } from "../../nix/hash.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { Refused } from "../refuse.ts";
import { differingBuilds } from "../rows/differing-builds.ts";
import { differingRealisations } from "../rows/differing-realisations.ts";
import { findingOfPath } from "../rows/findings.ts";
import { isNarQueued } from "../rows/nar-queue.ts";
import { missingPaths } from "../rows/paths.ts";
import { pinsOfPath } from "../rows/pins.ts";
import { countReferrers, referrerNames } from "../rows/references.ts";
import { upstreamPathsOf } from "../rows/upstream-paths.ts";
import { closureOf } from "./closure.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summary } from "./summary.ts";

/** Reads a bounded number of rows, however many refer to the path. Throws {@link Refused} no-such-path. */
export async function pathDetail(c: CatalogContext, hash: string): Promise<ListedPath> {
  // First, because other work may have its turn meanwhile: all of the rest is of one moment.
  const closure = await closureOf(c, hash);
  const row = c.sql
    .exec<SummaryRow & { nar: string; narinfo: string }>(
      `SELECT ${SUMMARY_COLUMNS}, nar, narinfo FROM paths WHERE hash = ?`,
      hash,
    )
    .toArray()[0];
  if (row === undefined) {
    const found = findingOfPath(c, "verify", "false-narinfo", hash);
    throw new Refused({ kind: "no-such-path", hash, ...(found && { wasFalse: found.detail }) });
  }
  const info = parseNarInfo(row.narinfo, c.config.storeDir);
  const references = info.references.slice(0, MAX_REFERENCES);
  const missing = missingPaths(c, references.map(hashOf));
  const upstream = upstreamPathsOf(c, missing);
  const absent = new Set(missing.filter((hash) => !upstream.has(hash)));
  const referrers = countReferrers(c, hash, MAX_COUNTED_REFERRERS + 1);
  return {
    ...summary(c, row),
    nar: narPlaceOf(info.url).isElsewhere ? info.url : row.nar,
    nar_hash: formatHash(info.narHash),
    file_hash: info.fileHash === undefined ? null : formatHash(info.fileHash),
    references,
    reference_count: info.references.length,
    upstream_references: [...upstream.values()],
    missing_references: references.filter((reference) => absent.has(hashOf(reference))),
    referrers: referrerNames(c, hash, MAX_REFERRERS),
    referrer_count: Math.min(referrers, MAX_COUNTED_REFERRERS),
    more_referrers: referrers > MAX_COUNTED_REFERRERS,
    closure,
    verification: verificationOf(c, row.nar, info),
    signatures: info.signatures,
    deriver: info.deriver ?? null,
    ca: info.ca ?? null,
    differing_builds: differingBuilds(c, hash, MAX_DIFFERING),
    differing_realisations: differingRealisations(c, hash, MAX_DIFFERING),
    pins: pinsOfPath(c, hash, MAX_PINS_OF_PATH),
  };
}

function hashOf(baseName: string): string {
  return baseName.slice(0, 32);
}

function verificationOf(c: CatalogContext, nar: string, info: NarInfo): Verification {
  const verdict = verdictNow(c, info);
  if (verdict.kind === "waiting") return { state: isNarQueued(c, nar) ? "waiting" : "unknown" };
  return { state: verdict.kind, ...("reason" in verdict && { reason: verdict.reason }) };
}
