// The output of `npm start` when the cache is up: the lines to paste for pushing and pulling.

/** The server's address as wrangler reports it: even with `--ip 0.0.0.0` one to connect to. */
export interface Address {
  readonly protocol: "http" | "https";
  readonly ip: string;
  readonly port: number;
}

export interface RunningCache {
  readonly address: Address;
  /** The Worker's public signing keys, `name:base64`. */
  readonly publicKeys: readonly string[];
  readonly pushToken: string | undefined;
  readonly pullToken: string | undefined;
  /** The netrc file to propose; absolute, because nix.conf does not expand `~`. */
  readonly netrcPath: string;
  /** Mistakes in the configuration, one line each. */
  readonly problems: readonly string[];
  /** URLs of the upstreams. */
  readonly upstreams?: readonly string[];
}

/** Seen with Nix 2.8 and 2.34: a client caches the narinfo that it uploads as it was sent. */
const SIGNED_HERE = [
  "The user who has pushed a path remembers it without the cache's signature for a month: to pull it back as that",
  "user, add --narinfo-cache-positive-ttl 0.",
  "",
];

export function urlOf({ protocol, ip, port }: Address): string {
  return `${protocol}://${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
}

export function instructions(cache: RunningCache): string {
  const url = urlOf(cache.address);
  const lines = [
    "",
    `The cache runs at ${url}`,
    `Its web page is ${url}/_/`,
    ...publicKeyLines(cache.publicKeys),
    ...cache.problems.map((problem) => `Problem: ${problem}`),
    ...upstreamLines(cache.upstreams ?? []),
    "",
    ...pushLines(cache, url),
    ...pullLines(cache, url),
    "Ctrl-C stops the cache; what was pushed stays. A local cache collects only when asked (POST /api/v1/gc): no cron",
    "trigger runs here.",
    "",
  ];
  return `${lines.join("\n")}\n`;
}

function publicKeyLines(publicKeys: readonly string[]): string[] {
  if (publicKeys.length === 0) {
    return ["It does not sign: .dev.vars has no usable SIGNING_KEY (`npm run keygen -- NAME` makes one)"];
  }
  return publicKeys.map((key) => `Its public key is ${key}`);
}

function upstreamLines(upstreams: readonly string[]): string[] {
  if (upstreams.length === 0) return [];
  return [`What ${upstreams.join(" or ")} has is not pushed: docs/upstreams.md`];
}

function pushLines({ address, pushToken, netrcPath }: RunningCache, url: string): string[] {
  if (pushToken === undefined) {
    return ["Pushing is switched off: .dev.vars has no PUSH_TOKEN. Any long random text will do.", ""];
  }
  return [
    `To push, a line in ${netrcPath}:`,
    "",
    `    ${netrcLine(address.ip, pushToken)}`,
    "",
    "and then, for anything that you have built:",
    "",
    `    nix copy --to '${url}' --netrc-file '${netrcPath}' --extra-experimental-features nix-command ./result`,
    "",
  ];
}

function pullLines(cache: RunningCache, url: string): string[] {
  const { address, publicKeys, pullToken, netrcPath } = cache;
  const lines = [
    "To pull, lines in /etc/nix/nix.conf (restart the Nix daemon if you have one):",
    "",
    `    extra-substituters = ${url}`,
    ...(publicKeys.length === 0 ? [] : [`    extra-trusted-public-keys = ${publicKeys.join(" ")}`]),
    `    netrc-file = ${netrcPath}`,
    "",
    ...(publicKeys.length === 0 ? [] : SIGNED_HERE),
  ];
  if (pullToken === undefined) return lines;
  return [
    ...lines,
    "PULL_TOKEN is set, so reading needs a token, too. For those who may only read, the line in netrc is",
    "",
    `    ${netrcLine(address.ip, pullToken)}`,
    "",
  ];
}

/** Any login will do: the password is the token. */
export function netrcLine(host: string, token: string): string {
  return `machine ${host} login nix password ${netrcWord(token)}`;
}

/** curl ends a netrc word at white space unless it is quoted. */
function netrcWord(word: string): string {
  return /^[0-9A-Za-z!$%&()*+,\-./:;<=>?@[\]^_{|}~]+$/.test(word)
    ? word
    : `"${word.replace(/["\\]/g, "\\$&")}"`;
}
