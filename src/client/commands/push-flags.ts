// The flags of commands that push in the background: those of the cache and of `push` that they hand on.

import { usage } from "../command/parse.ts";
import type { Flags, FlagValues, GlobalValues } from "../command/spec.ts";
import { lineOf } from "../ground/failure.ts";

export const PUSH_FLAGS = {
  exclude: { value: "REGEX", many: true, help: "leaves out the paths whose name it matches" },
  jobs: { value: "N", help: "how many paths at once" },
  compression: { value: "zstd:LEVEL|xz|none", help: "as of push" },
} as const satisfies Flags;

const HANDED_ON = ["url", "token-file", "netrc-file"] as const;

/** As arguments of `push`. */
export function pushFlags(
  command: { readonly name: string },
  global: GlobalValues,
  flags: FlagValues<typeof PUSH_FLAGS>,
): string[] {
  for (const expression of flags.exclude) {
    try {
      new RegExp(expression);
    } catch (error) {
      throw usage(command, lineOf(error));
    }
  }
  const given = [
    ...HANDED_ON.map((name) => [name, global[name]] as const),
    ...flags.exclude.map((expression) => ["exclude", expression] as const),
    ["jobs", flags.jobs] as const,
    ["compression", flags.compression] as const,
  ];
  return given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
}
