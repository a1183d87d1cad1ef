// Everything that is known about one path.
import { type Closure, type DifferingBuild, MAX_REFERRERS, type PathDetail } from "../../contract/paths.ts";
import { formatHash } from "../../nix/hash.ts";
import { parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { missingPaths, referenceHashes } from "../rows/paths.ts";
import { isoTime } from "../times.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summary } from "./search.ts";

/** Everything about one path. Throws {@link Refused} no-such-path. */
export function pathDetail(c: CatalogContext, hash: string): PathDetail {
  const row = c.sql
    .exec<SummaryRow & { nar: string; narinfo: string }>(
      `SELECT ${SUMMARY_COLUMNS}, nar, narinfo FROM paths WHERE hash = ?`,
      hash,
    )
    .toArray()[0];
  if (row === undefined) throw new Refused({ kind: "no-such-path", hash });
  const info = parseNarInfo(row.narinfo, c.config.storeDir);
  const missing = new Set(missingPaths(c, referenceHashes(info)));
  return {
    ...summary(c, row),
    nar: row.nar,
    nar_hash: formatHash(info.narHash),
    file_hash: info.fileHash === undefined ? null : formatHash(info.fileHash),
    references: info.references,
    missing_references: info.references.filter((reference) => missing.has(reference.slice(0, 32))),
    ...referrers(c, hash),
    closure: closure(c, hash),
    signatures: info.signatures,
    deriver: info.deriver ?? null,
    ca: info.ca ?? null,
    differing_builds: differingBuilds(c, hash),
  };
}

function referrers(c: CatalogContext, hash: string): Pick<PathDetail, "referrers" | "referrer_count"> {
  const { total } = c.sql
    .exec<{ total: number }>("SELECT count(*) AS total FROM refs WHERE reference = ?", hash)
    .one();
  const rows = c.sql
    .exec<{ path: string }>(
      `SELECT hash || '-' || name AS path FROM refs JOIN paths ON hash = referrer
       WHERE reference = ? ORDER BY referrer LIMIT ?`,
      hash,
      MAX_REFERRERS,
    )
    .toArray();
  return { referrers: rows.map((row) => row.path), referrer_count: total };
}

function closure(c: CatalogContext, hash: string): Closure {
  return c.sql
    .exec<Closure & Record<string, SqlStorageValue>>(
      `WITH RECURSIVE closure (member) AS (
         VALUES (?) UNION SELECT reference FROM closure JOIN refs ON referrer = member
       )
       SELECT count(hash) AS paths, sum(nar_size) AS nar_size, sum(file_size) AS file_size,
         count(*) - count(hash) AS missing
       FROM closure LEFT JOIN paths ON hash = member`,
      hash,
    )
    .one();
}

function differingBuilds(c: CatalogContext, hash: string): DifferingBuild[] {
  return c.sql
    .exec<{
      nar_hash: string;
      nar_size: number;
      first_push: number;
      last_push: number;
      pushed_by: string;
    }>(
      `SELECT nar_hash, nar_size, first_push, last_push, pushed_by FROM differing_builds
       WHERE hash = ? ORDER BY first_push, nar_hash`,
      hash,
    )
    .toArray()
    .map((row) => ({
      ...row,
      first_push: isoTime(row.first_push),
      last_push: isoTime(row.last_push),
    }));
}
