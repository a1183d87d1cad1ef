// A request that publishes paths, and what the cache says of each.
import type { Published, PublishedPath } from "../../contract/publishing.ts";
import { Failure } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";
import { printable } from "../http/retry.ts";
import { orWarn, sendListing } from "./companions.ts";

export interface ReadyPath {
  readonly path: string;
  /** Store paths; the path itself does not count. */
  readonly references: readonly string[];
  /** Of the path. */
  readonly hashPart: string;
  readonly narinfo: string;
  readonly listing?: string | undefined;
}

const UNAUTHORIZED = 401;

/** The answers are in the order of the paths. Throws {@link Failure} where there is none for each. */
export async function publishTogether(
  cache: Cache,
  paths: readonly ReadyPath[],
): Promise<readonly PublishedPath[]> {
  const sent = paths.map(({ narinfo, listing }) => ({ narinfo, ...(listing !== undefined && { listing }) }));
  const answer = await cache.call<Partial<Published> | undefined>("POST", "/paths", { paths: sent });
  const answers: unknown = answer?.paths;
  if (!Array.isArray(answers) || answers.length !== paths.length || !answers.every(isPublishedPath)) {
    throw new Failure("network", "the cache did not say what has become of the paths");
  }
  return answers.map((each) => ({
    ...each,
    message: printable(each.message),
    ...(each.no_listing !== undefined && { no_listing: printable(each.no_listing) }),
  }));
}

function isPublishedPath(value: unknown): value is PublishedPath {
  const { status, message, retry_after, no_listing } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof status === "number" &&
    typeof message === "string" &&
    (retry_after === undefined || typeof retry_after === "number") &&
    (no_listing === undefined || typeof no_listing === "string")
  );
}

/** The same of one path, for a Worker that is older than this client. */
export async function publishAlone(
  { send }: Cache,
  { hashPart, narinfo, listing }: ReadyPath,
  warn: (line: string) => void,
): Promise<PublishedPath> {
  const headers = { "content-type": "text/x-nix-narinfo" };
  try {
    await send({ method: "PUT", path: `/${hashPart}.narinfo`, body: narinfo, headers });
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "refused" || error.status === undefined) throw error;
    if (error.status === UNAUTHORIZED) throw error;
    return { status: error.status, message: error.message };
  }
  if (listing !== undefined) await orWarn(sendListing(hashPart, listing, send), warn);
  return { status: 200, message: "is published" };
}
