// The caches that are not in the table, each with the reason: they do not install as an ordinary package.

export interface Absent {
  readonly name: string;
  readonly reason: string;
}

/** As crates.io and Debian (bookworm and sid) had it on 26 November 2026. */
export const ABSENT: readonly Absent[] = [
  {
    name: "harmonia",
    reason: "crates.io has a music library of that name and no harmonia-cache; Debian has neither",
  },
  {
    name: "attic's server",
    reason: "crates.io has no attic-server, and its attic 0.0.1 is an empty file; Debian has neither",
  },
  {
    name: "nix-serve",
    reason:
      "neither Debian, PyPI nor npm has it; its script needs Nix::Store of Nix's Perl bindings, which Debian's nix-bin lacks",
  },
];
