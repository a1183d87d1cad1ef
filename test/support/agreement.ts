/** Checks that the catalog and the bucket agree when nothing is in flight. */
import { expect } from "vitest";
import { rows } from "./histories.ts";

/** The rows of narinfos and NARs match the bucket. */
export async function expectAgreement(
  storage: DurableObjectStorage,
  bucket: R2Bucket,
  { isDamaged }: { readonly isDamaged: boolean },
): Promise<void> {
  const { objects } = await bucket.list();
  const narinfos = [];
  const references = [];
  for (const { key, etag } of objects.filter(({ key }) => key.endsWith(".narinfo"))) {
    const text = (await (await bucket.get(key))?.text()) ?? "";
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
    const hash = key.slice(0, 32);
    narinfos.push({ hash, nar: field("URL"), narinfo: text, etag });
    for (const reference of field("References").split(" ")) {
      if (reference !== "" && reference.slice(0, 32) !== hash) {
        references.push({ referrer: hash, reference: reference.slice(0, 32) });
      }
    }
  }
  expect(rows(storage, "SELECT hash, nar, narinfo, etag FROM paths ORDER BY hash")).toEqual(narinfos);
  expect(rows(storage, "SELECT referrer, reference FROM refs ORDER BY referrer, reference")).toEqual(
    references.sort((a, b) => (`${a.referrer}${a.reference}` < `${b.referrer}${b.reference}` ? -1 : 1)),
  );
  const nars = new Set(objects.map(({ key }) => key).filter((key) => key.startsWith("nar/")));
  for (const { nar } of rows<{ nar: string }>(storage, "SELECT DISTINCT nar FROM paths")) {
    expect(nars.has(nar)).toBe(true);
    expect(rows(storage, "SELECT released FROM nars WHERE key = ?", nar)).toEqual([{ released: null }]);
  }
  const linked = rows<{ nar: string; hash: string }>(
    storage,
    `SELECT key AS nar, path AS hash FROM nars WHERE path IS NOT NULL
     UNION ALL SELECT nar, hash FROM further_paths ORDER BY hash`,
  );
  expect(linked).toEqual(rows(storage, "SELECT nar, hash FROM paths ORDER BY hash"));
  // Damage to the bucket is unannounced.
  if (isDamaged) return;
  for (const { key } of rows<{ key: string }>(storage, "SELECT key FROM nars WHERE is_stored = 1")) {
    expect(nars.has(key)).toBe(true);
  }
}

/** Unexpected findings of the last check: unpublished uploads are allowed. */
export function wronglyFound(storage: DurableObjectStorage, isOpen: boolean) {
  const allowed = ["unreferenced-nar", "unindexed-nar", ...(isOpen ? ["missing-reference"] : [])];
  return rows<{ kind: string }>(
    storage,
    "SELECT kind, name, detail FROM findings WHERE run = 'check'",
  ).filter(({ kind }) => !allowed.includes(kind));
}
