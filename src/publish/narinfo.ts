// The checks of a narinfo to be published that need only the narinfo itself. The catalog does the rest.
import type { Config, Keys } from "../config/config.ts";
import type { PublishOutcome } from "../contract/paths.ts";
import { HttpError } from "../http/errors.ts";
import { fingerprint } from "../nix/fingerprint.ts";
import { FormatError } from "../nix/format-error.ts";
import { verify } from "../nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../nix/narinfo.ts";
import { parsePublishable } from "../nix/publishable.ts";
import { provesItself } from "../nix/self-proof.ts";

export interface TrustedNarInfo {
  readonly info: NarInfo;
  /** In the cache's own form. */
  readonly text: string;
}

/**
 * Reads a narinfo that is to have the key `<hash>.narinfo`, or its own where none is given. Throws {@link HttpError} 400,
 * and 403 where the cache has trusted keys and none of them has signed it.
 */
export async function trustedNarInfo(text: string, config: Config, key?: string): Promise<TrustedNarInfo> {
  const info = parse(text, key, config.storeDir);
  const isProven = await provesItself(info, config.storeDir);
  if (info.ca !== undefined && !isProven) {
    // Signatures do not cover the CA, and clients fail on a wrong one.
    throw new HttpError(400, `narinfo: CA: ${info.storePath.baseName} does not follow from it`);
  }
  if (!isProven) await requireSignature(info, await config.keys());
  return { info, text: formatNarInfo(info) };
}

const OUTCOMES: Record<PublishOutcome, string> = {
  created: "is published",
  updated: "was here and has been brought up to date",
  unchanged: "is already here",
  "kept-existing": "is already here with another content: it is not reproducible, and the first build stays",
};

/** The status and the line of an answer about a path. */
export function answerOf({ info }: TrustedNarInfo, outcome: PublishOutcome) {
  const { baseName } = info.storePath;
  return { status: outcome === "created" ? 201 : 200, message: `${baseName} ${OUTCOMES[outcome]}` };
}

function parse(text: string, key: string | undefined, storeDir: string): NarInfo {
  try {
    return parsePublishable(text, key, storeDir);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `narinfo: ${error.message}`);
    throw error;
  }
}

async function requireSignature(info: NarInfo, keys: Keys): Promise<void> {
  if (keys.trusted.length === 0) return;
  if ((await verify([...keys.trusted], fingerprint(info), info.signatures)) !== undefined) return;
  const names = keys.trusted.map((key) => key.name).join(", ");
  throw new HttpError(
    403,
    `${info.storePath.baseName} has no valid signature by a key that this cache trusts (${names}); sign it: nix store sign --key-file FILE PATH`,
  );
}
