// The state by which credentials are checked: keys, rules, revocations.
import type { Config } from "../../config/config.ts";
import type { Env } from "../../env.ts";
import { createKeySource, type KeySource } from "../oidc/jwks.ts";
import { type AskRevoked, createRevocations, type Revocations } from "../tokens/revocation.ts";

export interface Authority {
  readonly config: Config;
  readonly memory: Memory;
  /** Asks the catalog that keeps the tokens. */
  readonly askRevoked: AskRevoked;
}

/** State that an isolate keeps between requests. */
export interface Memory {
  readonly issuers: KeySource;
  readonly revocations: Revocations;
}

const memories = new WeakMap<Env, Memory>();

/** The memory of an environment: one per isolate, and in tests one per cache. */
export function memoryOf(env: Env): Memory {
  const known = memories.get(env);
  if (known !== undefined) return known;
  const memory = { issuers: createKeySource(), revocations: createRevocations() };
  memories.set(env, memory);
  return memory;
}
