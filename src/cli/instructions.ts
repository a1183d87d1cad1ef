// The output of `npm start` when the cache is up: the lines to paste for pushing and pulling.

/** The server's address as wrangler reports it: even with `--ip 0.0.0.0` one to connect to. */
export interface Address {
  readonly protocol: "http" | "https";
  readonly ip: string;
  readonly port: number;
}

export interface RunningCache {
  readonly address: Address;
  /** The port that was asked for; 0 is any. */
  readonly askedPort: number;
  /** The Worker's public signing keys, `name:base64`. */
  readonly publicKeys: readonly string[];
  /** The netrc file with the push token, absolute; `undefined` where there is no such token. */
  readonly netrcPath: string | undefined;
  /** Whether there is a token that only reads. */
  readonly hasPullToken: boolean;
  /** Mistakes in the configuration, one line each. */
  readonly problems: readonly string[];
  /** URLs of the upstreams. */
  readonly upstreams?: readonly string[];
  /** Whether reading needs a token. */
  readonly isPrivate?: boolean;
}

/** Where the daemon looks without a setting. */
const DAEMON_NETRC = "/etc/nix/netrc";

/** Seen with Nix 2.8 and 2.34: a client caches the narinfo that it uploads as it was sent. */
const SIGNED_HERE = [
  'For a month a pull by the user who pushed says that the path "lacks a signature": add',
  "--narinfo-cache-positive-ttl 0.",
  "",
];

export function urlOf({ protocol, ip, port }: Address): string {
  return `${protocol}://${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
}

export function instructions(cache: RunningCache): string {
  const url = urlOf(cache.address);
  const lines = [
    ...portLines(cache),
    "",
    `The cache runs at ${url}`,
    "The same address in a browser shows its page",
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

function portLines({ address: { port }, askedPort }: RunningCache): string[] {
  if (askedPort === 0 || askedPort === port) return [];
  return [`Port ${askedPort} is taken, so this cache is at ${port}`];
}

function publicKeyLines(publicKeys: readonly string[]): string[] {
  if (publicKeys.length === 0) {
    return ["It does not sign: .dev.vars has no usable SIGNING_KEY (`npm run keygen -- NAME` makes one)"];
  }
  return publicKeys.map((key) => `Its public key is ${key}`);
}

function upstreamLines(upstreams: readonly string[]): string[] {
  if (upstreams.length === 0) return [];
  return [
    `What ${upstreams.join(" or ")} has is not pushed: docs/operating/upstreams.md`,
    "Without a network the runtime prints errors in red about that, and pushes go on",
  ];
}

function pushLines({ netrcPath }: RunningCache, url: string): string[] {
  if (netrcPath === undefined) {
    return ["Pushing is switched off: .dev.vars has no PUSH_TOKEN. Any long random text will do.", ""];
  }
  return [
    "To push, from another terminal in this folder (or ./result, or another store path):",
    "",
    "    path=$(nix-store --add README.md)",
    `    nix copy --to '${url}?compression=zstd' --netrc-file '${netrcPath}' --extra-experimental-features nix-command "$path"`,
    "",
  ];
}

function pullLines({ address, publicKeys, hasPullToken, isPrivate }: RunningCache, url: string): string[] {
  const lines = [
    "To pull, lines in /etc/nix/nix.conf (restart the Nix daemon if you have one):",
    "",
    `    extra-substituters = ${url}`,
    ...(publicKeys.length === 0 ? [] : [`    extra-trusted-public-keys = ${publicKeys.join(" ")}`]),
    "",
    ...(publicKeys.length === 0 ? [] : SIGNED_HERE),
  ];
  if (!isPrivate) return lines;
  return [
    ...lines,
    `The cache is private. To pull, a line in ${DAEMON_NETRC}, which only root should be able to read; TOKEN is its`,
    `${hasPullToken ? "PULL_TOKEN" : "PUSH_TOKEN"}:`,
    "",
    `    machine ${address.ip} login nix password TOKEN`,
    "",
  ];
}
