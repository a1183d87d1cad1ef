/** Rows of many paths, put into the tables past all code: in a catalog of this size a scan is seen. */
import type { CatalogContext } from "../../src/catalog/context.ts";

/** The hash part of the path of a number. */
export function hashOfMany(number: number): string {
  return String(number).padStart(32, "0");
}

/** Each has one of 7,919 names, a NAR of its own, and refers to the one before. */
export function manyPaths({ sql }: Pick<CatalogContext, "sql">, count: number): void {
  const numbers = `WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${count})`;
  sql.exec(`${numbers}
    INSERT INTO paths (hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, signers, narinfo, etag,
      incomplete, first_push, last_push, pushed_by, wanted)
    SELECT printf('%032d', n), 'name-' || (n % 7919), 'nar/' || n || '.nar', '', n, '', n, 'none', '',
      'References: ' || CASE n WHEN 0 THEN '' ELSE printf('%032d', n - 1) || '-name-' || ((n - 1) % 7919) END || char(10),
      '', 0, n, n, 'the test', n FROM numbers`);
  sql.exec(`${numbers}
    INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen)
    SELECT 'nar/' || n || '.nar', n, NULL, 1, n, n FROM numbers`);
}
