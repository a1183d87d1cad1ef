// `nix-cache completions`.
import { completionsFor, SHELLS } from "../command/completions.ts";
import { usage } from "../command/parse.ts";
import { type Command, command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";

/** `commands` is the whole table, which has this command in it. */
export function completionsCommand(commands: () => readonly Command[]) {
  return command({
    name: "completions",
    summary: "prints the completions of a shell",
    args: SHELLS.join("|"),
    takes: { min: 1, max: 1 },
    completes: SHELLS,
    examples: [
      { line: "source <(nix-cache completions bash)", does: "in ~/.bashrc" },
      { line: "nix-cache completions fish > ~/.config/fish/completions/nix-cache.fish", does: "for fish" },
    ],
    flags: {},
    async run({ args: [shell], output }) {
      const known = SHELLS.find((name) => name === shell);
      if (known === undefined)
        throw usage({ name: "completions" }, `'${shell}' is none of ${SHELLS.join(", ")}`);
      output.print(completionsFor(known, commands()));
      return EXIT.done;
    },
  });
}
