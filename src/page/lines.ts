// The lines that a user of a cache copies: for pulling, for pushing and for CI.
import type { CacheDescription } from "../contract/cache.ts";

export interface Lines {
  readonly id: string;
  readonly title: string;
  /** Where they go. */
  readonly where: string;
  readonly text: string;
}

/** For root and the daemon, which reads no file of a user. */
const NETRC = "/etc/nix/netrc";

/** A stock Nix needs it for these commands. */
const FEATURES = "--extra-experimental-features 'nix-command flakes'";

/** Of netrc, which knows no ports. */
function hostOf({ url }: CacheDescription): string {
  return new URL(url).hostname;
}

export function netrcLines(cache: CacheDescription): Lines {
  return {
    id: "netrc",
    title: "First: your token",
    where: `In ${NETRC}, which only root may read. Any login will do; TOKEN is yours.`,
    text: `machine ${hostOf(cache)} login any password TOKEN`,
  };
}

function nixList(items: readonly string[]): string {
  return `[ ${items.map((item) => JSON.stringify(item)).join(" ")} ]`;
}

export function pullLines({ url, public_keys: keys, visibility }: CacheDescription): readonly Lines[] {
  const netrc = visibility === "private";
  const hasKeys = keys.length > 0;
  const settings = [
    `extra-substituters = ${nixList([url])};`,
    ...(hasKeys ? [`extra-trusted-public-keys = ${nixList(keys)};`] : []),
  ];
  const inNix = (lines: readonly string[]) => lines.map((line) => `  ${line}\n`).join("");
  return [
    {
      id: "nix-conf",
      title: "nix.conf",
      where: "In /etc/nix/nix.conf; then restart the Nix daemon, if there is one.",
      text: [
        `extra-substituters = ${url}`,
        ...(hasKeys ? [`extra-trusted-public-keys = ${keys.join(" ")}`] : []),
        ...(netrc ? [`netrc-file = ${NETRC}`] : []),
      ].join("\n"),
    },
    {
      id: "nixos",
      title: "NixOS",
      where: "In the configuration of the machine.",
      text: `nix.settings = {\n${inNix([...settings, ...(netrc ? [`netrc-file = "${NETRC}";`] : [])])}};`,
    },
    {
      id: "flake",
      title: "A flake",
      where: "In flake.nix. Nix asks before it applies them.",
      text: `nixConfig = {\n${inNix(settings)}};`,
    },
    {
      id: "command",
      title: "One command",
      where: "With a daemon, for its trusted users only.",
      text: [
        `nix build ${FEATURES}`,
        `  --extra-substituters ${url}`,
        ...(hasKeys ? [`  --extra-trusted-public-keys '${keys.join(" ")}'`] : []),
        ...(netrc ? [`  --netrc-file ${NETRC}`] : []),
        "  .#default",
      ].join(" \\\n"),
    },
  ];
}

export function pushLines(cache: CacheDescription): readonly Lines[] {
  return [
    {
      id: "push-netrc",
      title: "First: a token that may push",
      where: "In ~/.netrc, which only you may read. Any login will do.",
      text: `machine ${hostOf(cache)} login any password TOKEN`,
    },
    {
      id: "push",
      title: "What you have built",
      where:
        "With its closure, except what is here or in an upstream. Nix 2.3 has no such features: leave them out.",
      text: `nix copy ${FEATURES} \\\n  --to '${cache.url}?compression=${cache.compression}' --netrc-file ~/.netrc ./result`,
    },
  ];
}

/** The action reads keys and compression from the cache. */
export function ciLines({ url, oidc, compression }: CacheDescription): readonly Lines[] {
  const withToken: Lines = {
    id: "ci-token",
    title: "Any CI",
    where: "With a token among its secrets, as the variable CACHE_TOKEN.",
    text: `(umask 077; echo "machine ${new URL(url).hostname} login ci password \${CACHE_TOKEN:?}" > netrc)\nnix copy ${FEATURES} \\\n  --to '${url}?compression=${compression}' --netrc-file "$PWD/netrc" ./result`,
  };
  if (oidc.length === 0) return [withToken];
  return [
    {
      id: "github",
      title: "GitHub Actions",
      where:
        "In a job with “permissions: id-token: write”. No secret is stored: its identity token is enough.",
      text: `- uses: stevedores-org/nix-cache@main
  with:
    url: ${url}
- run: nix build .#default
- uses: stevedores-org/nix-cache@main
  with:
    command: push
    url: ${url}`,
    },
    withToken,
  ];
}
