// What is known of a NAR's content, and what follows from it for a path that claims to have this content.
import { formatHash } from "../../nix/hash.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { AddressClaim } from "../../verify/addresses.ts";
import type { Facts } from "../content.ts";

/** What a narinfo says of its NAR's content. */
export interface Claim {
  readonly storePathHash: string;
  /** The bucket's key of the NAR. */
  readonly nar: string;
  readonly compression: string;
  /** `sha256:<nix32>`. */
  readonly narHash: string;
  /** Bytes. */
  readonly narSize: number;
  readonly ca: string | undefined;
  readonly refersToItself: boolean;
}

export type Verdict =
  /** Nothing or not enough is known yet. */
  | { readonly kind: "waiting" }
  | { readonly kind: "verified" }
  | { readonly kind: "unverifiable"; readonly reason: string }
  /** `reason` finishes the sentence "the NAR KEY ...". */
  | { readonly kind: "false"; readonly reason: string };

export function claimOf(info: NarInfo): Claim {
  return {
    storePathHash: info.storePath.hash,
    nar: narPlaceOf(info.url).key,
    compression: info.compression,
    narHash: formatHash(info.narHash),
    narSize: info.narSize,
    ca: info.ca,
    refersToItself: info.references.includes(info.storePath.baseName),
  };
}

/** A self-reference makes an address that of one path; any other is the same for all. */
export function addressKey({ ca, storePathHash, refersToItself }: Claim): string | undefined {
  return ca !== undefined && refersToItself ? `${storePathHash} ${ca}` : ca;
}

/** The address to check while the NAR is read; `undefined` where NarHash alone tells. */
export function addressClaim(claim: Claim): AddressClaim | undefined {
  const { ca, storePathHash, refersToItself } = claim;
  if (ca === undefined || isNarHashItself(claim)) return undefined;
  return refersToItself ? { ca, self: storePathHash } : { ca };
}

/** Without self-references a recursive SHA-256 address is NarHash. */
function isNarHashItself({ ca, narHash, refersToItself }: Claim): boolean {
  return !refersToItself && ca === `fixed:r:${narHash}`;
}

export function verdictOf(facts: Facts | undefined, claim: Claim): Verdict {
  const content = facts?.[claim.compression];
  if (content === undefined) {
    // One file is not a NAR in two compressions.
    const other = Object.entries(facts ?? {}).find(([, { kind }]) => kind === "nar")?.[0];
    if (other === undefined) return { kind: "waiting" };
    return { kind: "false", reason: `is compressed with ${other}, not with ${claim.compression}` };
  }
  if (content.kind === "unverifiable") return content;
  if (content.kind === "false") {
    // A path that claims a longer NAR has not been answered yet.
    if (claim.narSize > content.limit) return { kind: "waiting" };
    return { kind: "false", reason: `is false: ${content.reason}` };
  }
  const found = `${content.hash} and ${content.size} bytes`;
  if (content.hash !== claim.narHash || content.size !== claim.narSize) {
    return {
      kind: "false",
      reason: `contains a NAR with ${found}, not with ${claim.narHash} and ${claim.narSize} bytes`,
    };
  }
  const key = addressKey(claim);
  if (key === undefined || isNarHashItself(claim)) return { kind: "verified" };
  const address = content.addresses[key];
  if (address === undefined) return { kind: "waiting" };
  if (address === null)
    return { kind: "unverifiable", reason: `the address ${claim.ca} cannot be computed here` };
  return address
    ? { kind: "verified" }
    : { kind: "false", reason: `does not have the content address ${claim.ca}` };
}
