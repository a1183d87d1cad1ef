/** Realisations in tests of the catalog: made, pushed under watch, and read back. */
import { env } from "cloudflare:workers";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { publishRealisation } from "../../src/catalog/publish/realisation.ts";
import type { Config } from "../../src/config/config.ts";
import { parseConfig } from "../../src/config/config.ts";
import { parsePublicKey, parseSecretKey, verify } from "../../src/nix/keys.ts";
import { formatRealisation, parseRealisation, type Realisation } from "../../src/nix/realisation.ts";
import { realisationFingerprint, signRealisation } from "../../src/nix/realisation-fingerprint.ts";
import type { Interference } from "./bucket.ts";
import { type Recorded, recorded } from "./catalog.ts";
import { realisation } from "./objects.ts";
import type { OwnKey } from "./own-keys.ts";

const ID = `sha256:${"a".repeat(64)}!out`;
export const FLAT = `realisations/${ID}.doi`;
export const TRACE = `build-trace-v2/${"0".repeat(32)}-hello.drv/out.doi`;

export interface Doi {
  readonly key: string;
  readonly text: string;
}

/** The realisation of a derivation whose output is this base name, flat; signed by these keys as Nix up to 2.33 does. */
export async function realised(
  outPath: string,
  signers: readonly OwnKey[] = [],
  changes: Partial<Realisation> = {},
  key = FLAT,
): Promise<Doi> {
  const text = key === FLAT ? realisation(ID, outPath) : JSON.stringify({ outPath, signatures: [] });
  const plain = { ...parseRealisation(key, text), ...changes };
  const signatures = await Promise.all(
    signers.map(async ({ secret }) => {
      // The first signs the text with its dependent realisations.
      const [whole = ""] = await signRealisation(await parseSecretKey(secret), plain);
      return whole;
    }),
  );
  return { key, text: formatRealisation({ ...plain, signatures: [...plain.signatures, ...signatures] }) };
}

/** A cache that signs with some of these keys, and trusts others. */
export function configOfKeys(signing: readonly OwnKey[], trusted: readonly OwnKey[] = []): Config {
  return parseConfig({
    BUCKET: env.BUCKET,
    CATALOG: env.CATALOG,
    ...(signing.length > 0 && { SIGNING_KEY: signing.map(({ secret }) => secret).join(" ") }),
    ...(trusted.length > 0 && { TRUSTED_PUBLIC_KEYS: trusted.map((key) => key.public).join(" ") }),
  });
}

export function pushing(
  { key, text }: Doi,
  config: Config,
  interference: Interference = {},
  changes: Partial<CatalogContext> = {},
): Promise<Recorded<string>> {
  return recorded((c) => publishRealisation(c, key, text, "PUSH_TOKEN"), interference, {
    config,
    ...changes,
  });
}

/** What the bucket holds under the key. */
export async function storedRealisation(key = FLAT): Promise<Realisation | undefined> {
  const object = await env.BUCKET.get(key);
  return object === null ? undefined : parseRealisation(key, await object.text());
}

/** Names of the keys that have signed what is stored, those whose signature does not verify with a `?`. */
export async function signersOf(keys: readonly OwnKey[], key = FLAT): Promise<string[]> {
  const stored = await storedRealisation(key);
  if (stored === undefined) return [];
  const text = realisationFingerprint(stored);
  const names = stored.signatures.map(async (signature) => {
    const [name = ""] = signature.split(":");
    const own = keys.find((each) => each.name === name);
    const isRight = own && (await verify([await parsePublicKey(own.public)], text, [signature]));
    return isRight ? name : `${name}?`;
  });
  return (await Promise.all(names)).sort();
}
