// The NixOS module that `nix-cache use --nixos` writes.

/** The first line; a file with another one is not ours. */
export const MARK = "# Written by `nix-cache use --nixos`; `nix-cache unuse --nixos` removes it.";

export interface ModuleOptions {
  readonly url: string;
  readonly publicKeys: readonly string[];
  /** Reading needs a netrc. */
  readonly isPrivate: boolean;
}

/** One file for each cache: `nix-cache-cache.example.org.nix`. */
export function moduleName(url: string): string {
  const { host, pathname } = new URL(url);
  return `nix-cache-${`${host}${pathname}`.replace(/\/$/, "").replace(/[^A-Za-z0-9.-]+/g, "-")}.nix`;
}

export function nixosModule({ url, publicKeys, isPrivate }: ModuleOptions): string {
  const list = (words: readonly string[]) => words.map((text) => `      ${quoted(text)}\n`).join("");
  return [
    `${MARK}\n{\n  nix.settings = {\n    extra-substituters = [\n${list([url])}    ];\n`,
    `    extra-trusted-public-keys = [\n${list(publicKeys)}    ];\n`,
    // A token in a module would be in the store, which everybody reads.
    isPrivate
      ? '    netrc-file = "/etc/nix/netrc"; # machine, login and password: put there by other means\n'
      : "",
    "  };\n}\n",
  ].join("");
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]|\$\{/g, "\\$&")}"`;
}
