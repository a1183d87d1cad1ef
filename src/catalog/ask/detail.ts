// The detail of one path.
import { MAX_REFERRERS, type PathDetail } from "../../contract/paths.ts";
import type { Verification } from "../../contract/verification.ts";
import { formatHash } from "../../nix/hash.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { Refused } from "../refuse.ts";
import { differingBuilds } from "../rows/differing-builds.ts";
import { differingRealisations } from "../rows/differing-realisations.ts";
import { findingOfPath } from "../rows/findings.ts";
import { isNarQueued } from "../rows/nars.ts";
import { missingPaths } from "../rows/paths.ts";
import { closureOf, countReferrers, referenceHashes, referrerNames } from "../rows/references.ts";
import { upstreamPathsOf } from "../rows/upstream-paths.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summary } from "./search.ts";

/** Throws {@link Refused} no-such-path. */
export function pathDetail(c: CatalogContext, hash: string): PathDetail {
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
  const missing = missingPaths(c, referenceHashes(info));
  const upstream = upstreamPathsOf(c, missing);
  const absent = new Set(missing.filter((hash) => !upstream.has(hash)));
  return {
    ...summary(c, row),
    nar: row.nar,
    nar_hash: formatHash(info.narHash),
    file_hash: info.fileHash === undefined ? null : formatHash(info.fileHash),
    references: info.references,
    upstream_references: [...upstream.values()],
    missing_references: info.references.filter((reference) => absent.has(reference.slice(0, 32))),
    referrers: referrerNames(c, hash, MAX_REFERRERS),
    referrer_count: countReferrers(c, hash),
    closure: closureOf(c, hash),
    verification: verificationOf(c, row.nar, info),
    signatures: info.signatures,
    deriver: info.deriver ?? null,
    ca: info.ca ?? null,
    differing_builds: differingBuilds(c, hash),
    differing_realisations: differingRealisations(c, hash),
  };
}

function verificationOf(c: CatalogContext, nar: string, info: NarInfo): Verification {
  const verdict = verdictNow(c, info);
  if (verdict.kind === "waiting") return { state: isNarQueued(c, nar) ? "waiting" : "unknown" };
  return { state: verdict.kind, ...("reason" in verdict && { reason: verdict.reason }) };
}
