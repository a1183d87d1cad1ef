// `nix-cache manual`.
import { manualPage } from "../command/manual.ts";
import { type Command, command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { VERSION } from "../version.ts";

/** `commands` is the whole table, which has this command in it. */
export function manualCommand(commands: () => readonly Command[]) {
  return command({
    name: "manual",
    summary: "prints the manual page",
    examples: [{ line: "nix-cache manual | man -l -", does: "shows it" }],
    flags: {},
    async run({ output }) {
      output.print(manualPage(commands(), VERSION));
      return EXIT.done;
    },
  });
}
