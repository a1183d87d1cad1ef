// What can be said of a NAR's content while its narinfo is published, without reading all of a large file.
import type { WholeNar } from "../../bucket/stored-nar.ts";
import { FIRST_BYTES } from "../../contract/uploads.ts";
import { formatHash } from "../../nix/hash.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import { looksLike } from "../../verify/magic.ts";
import { type Content, type KnownFacts, mergeContent } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { factsOf, forgetFacts } from "../rows/nar-facts.ts";
import { pathRow } from "../rows/paths.ts";
import { unpackBeside } from "./read.ts";
import { type Claim, claimOf, type Verdict, verdictOf } from "./verdict.ts";

/**
 * Files that are unpacked during the publication, and the NARs that they may claim to be. Bytes. It fits into the ten
 * milliseconds of CPU time that the free plan gives a request, but the push waits for it: so only for the smallest.
 */
export const INLINE_FILE_BYTES = FIRST_BYTES;
const INLINE_NAR_BYTES = 128 * 1024;

export interface Learnt {
  readonly verdict: Verdict;
  /** To be kept in the NAR's row: what was not known before. */
  readonly known?: KnownFacts;
  /** Whether the file is still to be read. */
  readonly isQueued: boolean;
}

/** No operation of the bucket: `nar` has the first bytes of the file. */
export async function learnContent(c: CatalogContext, info: NarInfo, nar: WholeNar): Promise<Learnt> {
  const claim = claimOf(info);
  const kept = factsOf(c, claim.nar);
  const isCurrent = kept === undefined || kept.etag === nar.etag;
  if (!isCurrent) forgetFacts(c, claim.nar);
  const facts = isCurrent ? (kept?.facts ?? {}) : {};
  const verdict = verdictOf(facts, claim);
  if (verdict.kind !== "waiting") return { verdict, isQueued: isListed(c, claim, verdict) };
  const isQueued = c.config.verify !== "off";
  if (!looksLike(nar.first, claim.compression)) {
    return { verdict: { kind: "false", reason: `does not begin like a ${nameOf(claim)} file` }, isQueued };
  }
  const isSmall = nar.first.length === nar.fileSize && claim.narSize <= INLINE_NAR_BYTES;
  const unpacked = isSmall ? await unpackBeside(c, nar.first, claim) : undefined;
  const isInline = unpacked !== undefined;
  const content = unpacked ?? contentOfPlain(nar, claim);
  if (content === undefined) return { verdict, isQueued };
  const merged = mergeContent(facts[claim.compression], content);
  const known = { etag: nar.etag, facts: { ...facts, [claim.compression]: merged } };
  const learnt = verdictOf(known.facts, claim);
  const isReadLater = isQueued && (!isInline || learnt.kind === "waiting");
  return { verdict: learnt, known, isQueued: isReadLater || isListed(c, claim, learnt) };
}

/** Whether a verified NAR stays queued, because its listing is made after the publication. */
function isListed(c: CatalogContext, { storePathHash, nar }: Claim, { kind }: Verdict): boolean {
  const { listings, verify } = c.config;
  if (!listings || verify === "off" || kind !== "verified") return false;
  // A path that is pushed again has been listed.
  return pathRow(c, storePathHash)?.nar !== nar;
}

/** Without compression the bucket's own checksum and size are those of the NAR. Whether it is one is read later. */
function contentOfPlain({ fileHash, fileSize }: WholeNar, { compression }: Claim): Content | undefined {
  if (compression !== "none" || fileHash?.algorithm !== "sha256") return undefined;
  return { kind: "nar", hash: formatHash(fileHash), size: fileSize, addresses: {}, isUnread: true };
}

function nameOf({ compression }: Claim): string {
  return compression === "none" ? "NAR" : compression;
}
