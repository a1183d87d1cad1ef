// What is sent along with a path: its listing, the log of its build, its realisations.
import { existsSync } from "node:fs";
import { Failure } from "../ground/failure.ts";
import type { SendRetrying } from "../http/retry.ts";
import type { Env } from "../settings/locations.ts";
import { tryNix } from "../store/nix.ts";
import type { PathInfo } from "../store/path-info.ts";
import { logFiles, placeOf } from "../store/place.ts";
import { type Realisation, realisationsOf } from "../store/realisations.ts";
import { MAX_LISTING_BYTES } from "./listing.ts";

/** Of the cache. Bytes. */
const MAX_LOG_BYTES = 32 * 1024 * 1024;

export async function sendListing(hashPart: string, listing: string, send: SendRetrying): Promise<void> {
  if (Buffer.byteLength(listing) > MAX_LISTING_BYTES) return;
  await send({
    method: "PUT",
    path: `/${hashPart}.ls`,
    body: listing,
    headers: { "content-type": "application/json" },
  });
}

/** Sends each log once, those that are on this machine. */
export function logSender(send: SendRetrying, env: Env): (info: PathInfo) => Promise<void> {
  const place = placeOf(env);
  const sent = new Set<string>();
  return async ({ deriver }) => {
    if (deriver === undefined || sent.has(deriver)) return;
    sent.add(deriver);
    if (!logFiles(place, deriver).some((file) => existsSync(file))) return;
    const { code, stdout } = await tryNix("nix-store", ["--read-log", deriver], { env });
    // The log is a convenience: a damaged one must not stop the path.
    if (code !== 0 || stdout === "" || Buffer.byteLength(stdout) > MAX_LOG_BYTES) return;
    const name = deriver.slice(deriver.lastIndexOf("/") + 1);
    await send({
      method: "PUT",
      path: `/log/${encodeURIComponent(name)}`,
      body: stdout,
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  };
}

/** Realisations by path. Only outputs of derivations that are content-addressed have them. */
export async function realisationsByPath(
  paths: readonly PathInfo[],
  env: Env,
): Promise<ReadonlyMap<string, readonly Realisation[]>> {
  const outputs = paths.filter(({ ca, deriver }) => ca !== undefined && deriver !== undefined);
  if (outputs.length === 0) return new Map();
  const found = await realisationsOf(new Set(outputs.map(({ path }) => path)), env);
  return Map.groupBy(found, ({ path }) => path);
}

export async function sendRealisation({ key, text }: Realisation, send: SendRetrying): Promise<void> {
  await send({
    method: "PUT",
    path: `/${key.split("/").map(encodeURIComponent).join("/")}`,
    body: text,
    headers: { "content-type": "application/json" },
  });
}

/** Awaits a companion; a refusal of one is a warning, because the path is usable without. */
export async function orWarn(sending: Promise<void>, warn: (line: string) => void): Promise<void> {
  try {
    await sending;
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "refused" || error.status === 401) throw error;
    warn(error.message);
  }
}
