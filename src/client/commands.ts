// The table of all commands. Help, completions and the manual page are made from it.
import type { Command } from "./command/spec.ts";
import { completionsCommand } from "./commands/completions.ts";
import { DOCTOR } from "./commands/doctor.ts";
import { HOOK_INSTALL } from "./commands/hook-install.ts";
import { HOOK_SEND } from "./commands/hook-send.ts";
import { HOOK_SERVE } from "./commands/hook-serve.ts";
import { IMPORT } from "./commands/import.ts";
import { manualCommand } from "./commands/manual.ts";
import { DELETE, PATH, SEARCH } from "./commands/paths.ts";
import { PIN_LIST, PIN_REMOVE, PIN_SET, PIN_SHOW } from "./commands/pin.ts";
import { PUSH } from "./commands/push.ts";
import { CHECK, GC } from "./commands/runs.ts";
import { STATS } from "./commands/stats.ts";
import { TOKEN_LIST, TOKEN_MINT, TOKEN_REVOKE } from "./commands/token.ts";
import { UNUSE, USE } from "./commands/use.ts";
import { WATCH_EXEC } from "./commands/watch-exec.ts";
import { WATCH_STORE } from "./commands/watch-store.ts";
import { WHOAMI } from "./commands/whoami.ts";

export const COMMANDS: readonly Command[] = [
  USE,
  UNUSE,
  DOCTOR,
  PUSH,
  WATCH_EXEC,
  WATCH_STORE,
  HOOK_INSTALL,
  HOOK_SEND,
  HOOK_SERVE,
  IMPORT,
  PIN_SET,
  PIN_SHOW,
  PIN_LIST,
  PIN_REMOVE,
  PATH,
  SEARCH,
  STATS,
  DELETE,
  GC,
  CHECK,
  TOKEN_MINT,
  TOKEN_LIST,
  TOKEN_REVOKE,
  WHOAMI,
  completionsCommand(() => COMMANDS),
  manualCommand(() => COMMANDS),
];
