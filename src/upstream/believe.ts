// Whether a narinfo of an upstream is believed: of the asked path, in our store, signed by a key of that upstream.
import type { Upstream } from "../config/upstream.ts";
import { fingerprint } from "../nix/fingerprint.ts";
import { FormatError } from "../nix/format-error.ts";
import { verify } from "../nix/keys.ts";
import { narKeyOfUrl } from "../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../nix/narinfo.ts";
import { requireUsable } from "../nix/publishable.ts";
import { provesItself } from "../nix/self-proof.ts";

/** The narinfo with an absolute URL, or what is wrong with it. */
export type Believed = { readonly info: NarInfo } | { readonly why: string };

/** For a cache of this Worker the URL is absolute on its own host: `/<name>/nar/...`. */
export async function believe(
  upstream: Upstream,
  hash: string,
  text: string,
  storeDir: string,
): Promise<Believed> {
  let info: NarInfo;
  try {
    info = parseNarInfo(text, storeDir);
    if (info.storePath.hash !== hash) return { why: `is of another path, ${info.storePath.baseName}` };
    requireUsable(info);
    info = { ...info, url: absoluteUrl(upstream.url, info.url) };
  } catch (error) {
    if (error instanceof FormatError) return { why: error.message };
    throw error;
  }
  // Signatures do not cover the CA, and clients fail on a wrong one.
  if (info.ca !== undefined && !(await provesItself(info, storeDir))) {
    return { why: "has a CA from which its store path does not follow" };
  }
  const keys = await upstream.keys();
  if (keys === "none-needed") return { info };
  if ((await verify([...keys], fingerprint(info), info.signatures)) !== undefined) return { info };
  return { why: "has no valid signature by a key of this upstream" };
}

/** Throws {@link FormatError} on a URL that Nix versions resolve differently, or to which no client should be sent. */
function absoluteUrl(upstream: string, url: string): string {
  if (/^https?:\/\//.test(url)) {
    const parsed = URL.parse(url);
    if (!/^[!-~]+$/.test(url) || parsed === null || !isPublic(parsed, upstream)) {
      throw new FormatError("URL: is no address to send a client to");
    }
    return url;
  }
  narKeyOfUrl(url);
  return `${upstream}/${url}`;
}

/** Whether an upstream may send clients there: not into their own networks, unless it is on this machine itself. */
function isPublic({ protocol, hostname, username, password }: URL, upstream: string): boolean {
  if (username !== "" || password !== "") return false;
  if (upstream.startsWith("http:")) return true;
  const isAddress = hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
  const isLocal = /(^|\.)(localhost|local|internal|home\.arpa)\.?$/.test(hostname) || !hostname.includes(".");
  return protocol === "https:" && !isAddress && !isLocal;
}
