// What is known of a NAR file's content: the facts that its row keeps, so that each file is read once.

/** What a file is when it is unpacked by one compression. */
export type Content =
  | {
      readonly kind: "nar";
      /** `sha256:<nix32>`. */
      readonly hash: string;
      /** Bytes. */
      readonly size: number;
      /** Content addresses that were checked, by their key (facts/verdict.ts); null where this cannot be told. */
      readonly addresses: Readonly<Record<string, boolean | null>>;
      /** Hash and size are those that the bucket has recorded; whether the file is a NAR is not known yet. */
      readonly isUnread?: true;
    }
  /** No NAR, or one that is longer than `limit` bytes: nothing was unpacked beyond. */
  | { readonly kind: "false"; readonly reason: string; readonly limit: number }
  | { readonly kind: "unverifiable"; readonly reason: string };

/** By the compression that narinfos declare. */
export type Facts = Readonly<Record<string, Content>>;

export interface KnownFacts {
  readonly facts: Facts;
  /** Of the object that was read. R2's, without quotes. */
  readonly etag: string;
}

/** As the statistics count NARs; null where nothing is known. */
export type ContentState = "verified" | "false" | "unverifiable";

/** Of all compressions the one that counts most: a NAR in one of them is a NAR. */
export function contentState(facts: Facts): ContentState | null {
  const kinds = Object.values(facts).map(({ kind }) => kind);
  if (kinds.includes("nar")) return "verified";
  if (kinds.includes("unverifiable")) return "unverifiable";
  return kinds.includes("false") ? "false" : null;
}

/**
 * What is known of one object after another look at it, which was to check the addresses `asked`. Both looks are of the
 * same etag: what a whole reading has found stays true after one that could not end. A reading says more than the
 * bucket's own checksum.
 */
export function mergeContent(
  earlier: Content | undefined,
  content: Content,
  asked: readonly string[] = [],
): Content {
  if (earlier?.kind !== "nar" || content.kind === "false") return content;
  if (content.kind === "unverifiable") {
    if (earlier.isUnread) return content;
    const untold = Object.fromEntries(asked.map((key) => [key, null]));
    return { ...earlier, addresses: { ...untold, ...earlier.addresses } };
  }
  const addresses = { ...earlier.addresses, ...content.addresses };
  return content.isUnread && !earlier.isUnread ? { ...earlier, addresses } : { ...content, addresses };
}

/** `known` with what a row says of the same object: another reading may have ended meanwhile. */
export function mergeFacts(row: KnownFacts | undefined, known: KnownFacts): KnownFacts {
  if (row === undefined || row.etag !== known.etag) return known;
  const merged = Object.entries(known.facts).map(([compression, content]) => [
    compression,
    mergeContent(row.facts[compression], content),
  ]);
  return { etag: known.etag, facts: { ...row.facts, ...Object.fromEntries(merged) } };
}
