// Unpacks a NAR file once and says what it contains.
import type { FactsRequest } from "../../verify/facts.ts";
import type { Content } from "../content.ts";
import { addressClaim, addressKey, type Claim } from "./verdict.ts";

/** Content addresses that one reading checks: each costs a hash of the whole NAR. */
const MAX_ADDRESSES = 8;

/**
 * Loaded on first use: reads of the protocol never need it. Kept, because another import of it takes longer than unpacking a
 * small file.
 */
let reader: typeof import("../../verify/facts.ts") | undefined;

export interface Unpacked {
  readonly content: Content;
  /** The JSON of `<hash>.ls`, where it was asked for and can be made. */
  readonly listing?: string;
}

/** All claims are of one compression. Errors of the stream are thrown as they are. */
export async function unpack(
  file: ReadableStream<Uint8Array> | Uint8Array,
  claims: readonly Claim[],
  options: Pick<FactsRequest, "listing" | "pause"> = {},
): Promise<Unpacked> {
  const limit = Math.max(...claims.map(({ narSize }) => narSize));
  const addressed = new Map(claims.map((claim) => [addressKey(claim), addressClaim(claim)]));
  const checks = [...addressed].flatMap(([key, claim]) => (key && claim ? [{ key, claim }] : []));
  reader ??= await import("../../verify/facts.ts");
  const outcome = await reader.narFacts(file, {
    ...options,
    compression: claims[0]?.compression ?? "none",
    maxNarSize: limit,
    addresses: checks.slice(0, MAX_ADDRESSES).map(({ claim }) => claim),
  });
  if (outcome.kind === "false") return { content: { kind: "false", reason: outcome.reason, limit } };
  if (outcome.kind === "unverifiable") return { content: { kind: "unverifiable", reason: outcome.reason } };
  const { narHash: hash, narSize: size, listing } = outcome;
  const addresses = Object.fromEntries(
    checks.slice(0, MAX_ADDRESSES).map(({ key }, index) => [key, outcome.addresses[index] ?? null]),
  );
  return { content: { kind: "nar", hash, size, addresses }, ...(listing !== undefined && { listing }) };
}
