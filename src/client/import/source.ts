// Another binary cache to import from: by HTTP, or a folder.
import { createReadStream, existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import { Failure, lineOf } from "../ground/failure.ts";
import { type Env, netrcFiles } from "../settings/locations.ts";
import { passwordIn } from "../settings/netrc.ts";

export interface Source {
  /** The text of nix-cache-info. Throws {@link Failure} where there is no binary cache. */
  info(): Promise<string>;
  /** The text of the narinfo; `undefined` where there is none. */
  narInfo(hash: string): Promise<string | undefined>;
  /** The file that a narinfo's URL names. */
  nar(url: string): Promise<AsyncIterable<Buffer>>;
  /** The hash parts of all paths; `undefined` where it cannot be listed. */
  all(): string[] | undefined;
}

const ATTEMPTS = 4;
const FIRST_DELAY_MS = 500;
const NOT_FOUND = [403, 404];
const TOO_MANY = 429;
/** Of a narinfo or nix-cache-info: what this cache takes. */
const MAX_TEXT_BYTES = 1024 * 1024;

export function folderSource(dir: string): Source {
  if (!existsSync(join(dir, "nix-cache-info"))) {
    throw new Failure("usage", `${dir} is no binary cache: it has no nix-cache-info`);
  }
  return {
    info: async () => readFileSync(join(dir, "nix-cache-info"), "utf8"),
    async narInfo(hash) {
      const file = join(dir, `${hash}.narinfo`);
      return existsSync(file) ? readFileSync(file, "utf8") : undefined;
    },
    async nar(url) {
      const key = narKeyOf(url);
      const file = join(dir, key);
      // A folder of another's may have links to files of this machine.
      if (!realpathSync(file).startsWith(`${realpathSync(dir)}/`)) {
        throw new Failure("failed", `${key} leads out of ${dir}`);
      }
      return createReadStream(file);
    },
    all: () => readdirSync(dir).flatMap((name) => /^(\w{32})\.narinfo$/.exec(name)?.[1] ?? []),
  };
}

export function httpSource(url: string, env: Env): Source {
  const base = `${url.replace(/\/+$/, "")}/`;
  const { origin, hostname } = new URL(base);
  const headers = credentials(hostname, env);
  return {
    async info() {
      const response = checked(await get(`${base}nix-cache-info`));
      const text = await textOf(response);
      if (/^StoreDir: /m.test(text)) return text;
      throw new Failure("refused", `${base}nix-cache-info is none: is there a binary cache?`);
    },
    async narInfo(hash) {
      const response = await get(`${base}${hash}.narinfo`);
      // Cachix and S3 answer 403 for what is not there.
      if (!NOT_FOUND.includes(response.status)) return textOf(checked(response));
      await response.body?.cancel();
      return undefined;
    },
    async nar(name) {
      const address = new URL(name, base);
      if (!["http:", "https:"].includes(address.protocol)) {
        throw new Failure("failed", `the source's ${name} is no URL of a web server`);
      }
      const { body } = checked(await get(address.href));
      if (body === null) throw new Failure("network", `${base}${name} has no content`);
      return chunks(body);
    },
    all: () => undefined,
  };

  async function get(address: string): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        // A narinfo may name a NAR of another server, which the token is not for.
        const isOwn = new URL(address).origin === origin;
        const response = await fetch(address, isOwn ? { headers } : {});
        const mayPass = response.status >= 500 || response.status === TOO_MANY;
        if (!mayPass || attempt === ATTEMPTS) return response;
        await response.body?.cancel();
      } catch (error) {
        if (attempt === ATTEMPTS) throw new Failure("network", `${address}: ${causeOf(error)}`);
      }
      await setTimeout(FIRST_DELAY_MS * 2 ** attempt);
    }
  }
}

function checked(response: Response): Response {
  if (response.ok) return response;
  throw new Failure(response.status >= 500 ? "network" : "refused", `${response.url}: ${response.status}`);
}

async function textOf({ url, body }: Response): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of body === null ? [] : chunks(body)) {
    size += chunk.length;
    if (size > MAX_TEXT_BYTES) throw new Failure("failed", `${url} is too long`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** In a folder. Throws {@link Failure}. */
function narKeyOf(url: string): string {
  try {
    return narKeyOfUrl(url);
  } catch (error) {
    throw new Failure("failed", lineOf(error));
  }
}

async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of body) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
}

/** As Nix has it: from netrc, by Basic authentication. */
function credentials(host: string, env: Env): Record<string, string> {
  for (const file of netrcFiles(env)) {
    const password = existsSync(file) ? passwordIn(readFileSync(file, "utf8"), host) : undefined;
    if (password) return { authorization: `Basic ${Buffer.from(`nix:${password}`).toString("base64")}` };
  }
  return {};
}

/** `fetch` says only that it failed; its cause says why. */
function causeOf(error: unknown): string {
  return lineOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}
