// Imports the keys of the variables, once for all caches; each cache uses the keys that its entry names.
import { FormatError } from "../nix/format-error.ts";
import { type PublicKey, parsePublicKey, parseSecretKey, type SecretKey } from "../nix/keys.ts";
import { words } from "./values.ts";

export interface Keys {
  readonly signing: readonly SecretKey[];
  readonly trusted: readonly PublicKey[];
  readonly problems: readonly string[];
}

/** The keys that a cache chooses; by default those of the variables. */
export interface KeyChoice {
  /** Names of keys in SIGNING_KEY. */
  readonly signing?: readonly string[];
  /** Whether it has to name its keys where SIGNING_KEY has several: one of them may be for another cache only. */
  readonly mustNameSigning: boolean;
  /** Public keys, in the forms of TRUSTED_PUBLIC_KEYS. */
  readonly trusted?: unknown;
}

/** What all caches share. */
export interface KeyImports {
  /** The keys of SIGNING_KEY. */
  readonly signing: () => Promise<ImportedKeys<SecretKey>>;
  /** Is called with each mistake once. */
  readonly log: (problem: string) => void;
}

/** Imports the keys that a cache uses. Never rejects; mistakes are lines of `problems`, and in the log. */
export async function importKeys(
  imports: KeyImports,
  trustedKeys: unknown,
  label: string,
  choice: KeyChoice,
): Promise<Keys> {
  const all = await imports.signing();
  const problems: string[] = [];
  if (choice.signing === undefined && choice.mustNameSigning && all.keys.length > 1) {
    problems.push(
      `${label}.signing_keys: SIGNING_KEY has ${all.keys.length} keys; name those that sign for this cache, such as ["${all.keys[0]?.name}"]`,
    );
  }
  const signing =
    choice.signing === undefined
      ? all.keys
      : choice.signing.flatMap((name) => {
          const key = all.keys.find((each) => each.name === name);
          if (key === undefined)
            problems.push(`${label}.signing_keys: SIGNING_KEY has no usable key ${name}`);
          return key ?? [];
        });
  const trusted =
    choice.trusted === undefined
      ? await eachKey("TRUSTED_PUBLIC_KEYS", trustedKeys, parsePublicKey)
      : await eachKey(`${label}.trusted_public_keys`, choice.trusted, parsePublicKey);
  const own = [...trusted.problems, ...problems];
  own.forEach(imports.log);
  return { signing, trusted: trusted.keys, problems: [...all.problems, ...own] };
}

export interface ImportedKeys<K> {
  readonly keys: readonly K[];
  readonly problems: readonly string[];
}

export async function importSigningKeys(
  value: unknown,
  log: (problem: string) => void,
): Promise<ImportedKeys<SecretKey>> {
  const imported = await eachKey("SIGNING_KEY", value, parseSecretKey);
  imported.problems.forEach(log);
  return imported;
}

export async function eachKey<K>(
  name: string,
  value: unknown,
  parse: (text: string) => Promise<K>,
): Promise<ImportedKeys<K>> {
  const keys: K[] = [];
  const problems: string[] = [];
  for (const [index, text] of words(name, value, problems).entries()) {
    try {
      keys.push(await parse(text));
    } catch (error) {
      // The messages of other errors may contain the key.
      const reason = error instanceof FormatError ? error.message : "cannot be imported";
      problems.push(`${name}: key ${index + 1}: ${reason}`);
    }
  }
  return { keys, problems };
}
