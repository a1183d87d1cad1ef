// The table of all commands. Help, completions and the manual page are made from it.
import type { Command } from "./command/spec.ts";
import { completionsCommand } from "./commands/completions.ts";
import { manualCommand } from "./commands/manual.ts";
import { PUSH } from "./commands/push.ts";
import { WHOAMI } from "./commands/whoami.ts";

export const COMMANDS: readonly Command[] = [
  PUSH,
  WHOAMI,
  completionsCommand(() => COMMANDS),
  manualCommand(() => COMMANDS),
];
