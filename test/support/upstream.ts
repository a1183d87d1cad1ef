/** An upstream under test, over real HTTP: the test's side of `upstream-server.ts`. */
import { inject } from "vitest";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import { generateSecretKey, parseSecretKey, sign } from "../../src/nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../src/nix/narinfo.ts";
import type { TestPath } from "./store-paths.ts";
import type { Answer, Script, SeenRequest } from "./upstream-server.ts";

export interface TestUpstream {
  readonly url: string;
  /** Its public key, `name:base64`. */
  readonly key: string;
  /** As an entry of UPSTREAMS. */
  readonly entry: Readonly<Record<string, unknown>>;
  /** Has these paths, and answers as `script` says otherwise. */
  readonly has: (paths: readonly TestPath[], script?: Script) => Promise<void>;
  /** The narinfo as it serves it, with its signature. */
  readonly textOf: (path: TestPath, changes?: Partial<NarInfo>) => Promise<string>;
  readonly requests: () => Promise<SeenRequest[]>;
}

export async function createUpstream(name = "upstream.test-1"): Promise<TestUpstream> {
  const url = `${inject("upstreamServer")}/${crypto.randomUUID()}`;
  const { secret, public: key } = await generateSecretKey(name);
  const secretKey = await parseSecretKey(secret);
  const textOf = async ({ info }: TestPath, changes: Partial<NarInfo> = {}) => {
    const changed = { ...info, ...changes };
    const signatures = changes.signatures ?? [await sign(secretKey, fingerprint(changed))];
    return formatNarInfo({ ...changed, signatures });
  };
  return {
    url,
    key,
    entry: { url, public_keys: [key] },
    textOf,
    has: async (paths, script = {}) => {
      const answers: Record<string, Answer> = {};
      for (const path of paths) {
        answers[`/${path.key}`] = { body: base64(await textOf(path)) };
        answers[`/${path.narKey}`] = { body: path.nar.toBase64() };
      }
      await fetch(`${url}/`, { method: "PUT", body: JSON.stringify({ ...answers, ...script }) });
    },
    requests: async () => (await fetch(`${url}/requests`)).json<SeenRequest[]>(),
  };
}

export function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
