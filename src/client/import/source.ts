// Another binary cache to import from: by HTTP, or a folder.
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Failure, lineOf } from "../ground/failure.ts";
import { type Env, netrcFiles } from "../settings/locations.ts";
import { passwordIn } from "../settings/netrc.ts";

export interface Source {
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

export function folderSource(dir: string): Source {
  if (!existsSync(join(dir, "nix-cache-info"))) {
    throw new Failure("usage", `${dir} is no binary cache: it has no nix-cache-info`);
  }
  return {
    async narInfo(hash) {
      const file = join(dir, `${hash}.narinfo`);
      return existsSync(file) ? readFileSync(file, "utf8") : undefined;
    },
    async nar(url) {
      return createReadStream(join(dir, decodeURIComponent(url)));
    },
    all: () => readdirSync(dir).flatMap((name) => /^(\w{32})\.narinfo$/.exec(name)?.[1] ?? []),
  };
}

export function httpSource(url: string, env: Env): Source {
  const base = `${url.replace(/\/+$/, "")}/`;
  const headers = credentials(new URL(base).hostname, env);
  return {
    async narInfo(hash) {
      const response = await get(`${base}${hash}.narinfo`);
      // Cachix and S3 answer 403 for what is not there.
      if (!NOT_FOUND.includes(response.status)) return checked(response).text();
      await response.body?.cancel();
      return undefined;
    },
    async nar(name) {
      const { body } = checked(await get(new URL(name, base).href));
      if (body === null) throw new Failure("network", `${base}${name} has no content`);
      return chunks(body);
    },
    all: () => undefined,
  };

  async function get(address: string): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(address, { headers });
        if (response.status < 500 || attempt === ATTEMPTS) return response;
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

async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of body) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
}

/** As Nix has it: from netrc, by Basic authentication. */
function credentials(host: string, env: Env): Record<string, string> {
  for (const file of netrcFiles(env)) {
    const password = existsSync(file) ? passwordIn(readFileSync(file, "utf8"), host) : undefined;
    if (password !== undefined)
      return { authorization: `Basic ${Buffer.from(`nix:${password}`).toString("base64")}` };
  }
  return {};
}

/** `fetch` says only that it failed; its cause says why. */
function causeOf(error: unknown): string {
  return lineOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}
