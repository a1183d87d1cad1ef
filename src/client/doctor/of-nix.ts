// Whether Nix would pull from the cache: substituter, keys, trusted-users, netrc.
import { readFileSync } from "node:fs";
import type { CacheDescription } from "../../contract/cache.ts";
import { Failure, isSystemError } from "../ground/failure.ts";
import { cacheAt } from "../http/api.ts";
import type { Env } from "../settings/locations.ts";
import { doubtAbout, passwordIn } from "../settings/netrc.ts";
import type { NixSettings } from "../store/nix-settings.ts";
import { type Finding, findingsOf } from "./finding.ts";

export interface NixOfMachine {
  /** As this user's commands read them. */
  readonly user: NixSettings;
  /** As the daemon reads them. */
  readonly system: NixSettings;
  readonly usesDaemon: boolean;
  readonly isTrusted: boolean;
}

/** The settings that substitution follows: the daemon's, with this user's where the daemon trusts them. */
export function effective({ user, system, usesDaemon, isTrusted }: NixOfMachine): NixSettings {
  return usesDaemon && !isTrusted ? system : user;
}

/** Without the store's parameters and a slash at the end. */
export function plainUrl(url: string): string {
  return url.replace(/\?.*$/, "").replace(/\/+$/, "");
}

export function checkSubstituter(url: string, nix: NixOfMachine): Finding {
  const { ok, fault } = findingsOf("substituter");
  const has = (settings: NixSettings) => settings.substituters.some((other) => plainUrl(other) === url);
  // A user may choose from trusted-substituters although the daemon does not trust the user.
  const isAllowed = nix.system.trustedSubstituters.some((other) => plainUrl(other) === url);
  if (has(effective(nix)) || (isAllowed && has(nix.user))) return ok(`Nix asks ${url}`);
  if (has(nix.user)) {
    return fault(
      `only this user's nix.conf names ${url}, and the daemon does not follow it: the user is not in trusted-users`,
      `sudo nix-cache use --system ${url}`,
    );
  }
  return fault(
    `Nix does not ask ${url}: it is not among substituters`,
    `nix-cache use ${url}; ${ONLY_PUSHES}`,
  );
}

const ONLY_PUSHES = "a machine that only pushes does not need it";
const PUBLIC_KEY = /^[^\s:]+:[A-Za-z0-9+/]{43}=$/;
const SHOWN_OF_KEY = 20;

export function checkKeys(url: string, cache: CacheDescription, nix: NixOfMachine): Finding[] {
  const { ok, fault, skipped } = findingsOf("key");
  const settings = effective(nix);
  if (cache.public_keys.length === 0)
    return [skipped("the cache has no key: Nix takes only content-addressed paths")];
  if (!settings.requireSigs) return [skipped("this Nix requires no signatures (require-sigs = false)")];
  const malformed = settings.trustedPublicKeys.find((key) => !PUBLIC_KEY.test(key));
  if (malformed !== undefined) {
    // Not all of it: the likeliest mistake is to paste the secret key.
    const shown = malformed.slice(0, SHOWN_OF_KEY);
    return [
      fault(
        `trusted-public-keys has '${shown}', which is no key`,
        "correct it in nix.conf: NAME:BASE64 of 32 bytes",
      ),
    ];
  }
  const trusted = cache.public_keys.filter((key) => settings.trustedPublicKeys.includes(key));
  const findings = trusted.map((key) => ok(`Nix trusts ${nameOf(key)}`));
  if (trusted.length > 0) return findings;
  const names = cache.public_keys.map(nameOf);
  const false_ = settings.trustedPublicKeys.find((key) => names.includes(nameOf(key)));
  if (false_ !== undefined) {
    return [
      fault(
        `nix.conf has another key of the name ${nameOf(false_)}: an old one, or a mistake in copying`,
        `remove ${false_} from trusted-public-keys, then nix-cache use ${url}`,
      ),
    ];
  }
  const isUsers = cache.public_keys.some((key) => nix.user.trustedPublicKeys.includes(key));
  return [
    isUsers
      ? fault(
          `only this user's nix.conf trusts ${names.join(", ")}, and the daemon does not follow it`,
          `sudo nix-cache use --system ${url}`,
        )
      : fault(
          `Nix does not trust the cache's key ${names.join(", ")}, so it takes nothing from it`,
          `nix-cache use ${url}; ${ONLY_PUSHES}`,
        ),
  ];
}

export function checkTrust({ usesDaemon, isTrusted }: NixOfMachine): Finding {
  const { ok, warning } = findingsOf("trusted-users");
  if (!usesDaemon) return ok("this user's Nix uses the store itself, without a daemon");
  if (isTrusted) return ok("the daemon trusts this user");
  return warning(
    "the daemon does not trust this user: it ignores --substituters, --extra-trusted-public-keys and the user's nix.conf",
    "configure the cache for the system: sudo nix-cache use --system URL",
  );
}

/** Lines for the cache in the netrc that this client reads or in that of Nix, of which it takes one. */
export function checkNetrcLines(url: string, ofClient: string | undefined, nix: NixOfMachine): Finding[] {
  const { warning } = findingsOf("netrc");
  const { hostname } = new URL(url);
  const doubts = new Set([
    ofClient,
    ...[nix.user, nix.system].map(({ netrcFile }) => doubtIn(netrcFile, hostname)),
  ]);
  const remedy = `leave one line for ${hostname}: machine ${hostname} login nix password TOKEN`;
  return [...doubts].flatMap((doubt) => (doubt === undefined ? [] : [warning(doubt, remedy)]));
}

function doubtIn(file: string, host: string): string | undefined {
  try {
    return doubtAbout(readFileSync(file, "utf8"), host, file);
  } catch (error) {
    if (isSystemError(error, "EACCES", "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** The netrc of the process that downloads: a private cache needs a token in it. */
export async function checkNetrc(
  url: string,
  isPrivate: boolean,
  nix: NixOfMachine,
  env: Env,
): Promise<Finding> {
  const { ok, fault, warning, skipped } = findingsOf("netrc");
  if (!isPrivate) return skipped("the cache is public: reading needs no netrc");
  const file = (nix.usesDaemon ? nix.system : effective(nix)).netrcFile;
  const whose = nix.usesDaemon ? "the daemon" : "Nix";
  const host = new URL(url).hostname;
  const remedy = `NIX_CACHE_TOKEN_FILE=FILE nix-cache use ${nix.usesDaemon ? "--system " : ""}${url}`;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (isSystemError(error, "EACCES"))
      return warning(`${file} cannot be read by this user`, "run doctor as root");
    if (isSystemError(error, "ENOENT")) return fault(`${whose} has no netrc: ${file} does not exist`, remedy);
    throw error;
  }
  const token = passwordIn(text, host);
  if (token === undefined) return fault(`${file}, which ${whose} reads, has no line for ${host}`, remedy);
  try {
    // As Nix sends it: by Basic authentication.
    const authorization = `Basic ${Buffer.from(`nix:${token}`).toString("base64")}`;
    const cache = cacheAt({ url, token: undefined, tokenFrom: file }, env);
    await cache.send({ method: "GET", path: "/nix-cache-info", headers: { authorization } });
    return ok(`the cache takes the token of ${file}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return fault(`the cache does not take the token of ${file}: ${error.message}`, remedy);
  }
}

function nameOf(key: string): string {
  return key.replace(/:.*/, "");
}
