// `nix-cache watch-exec -- COMMAND`: pushes what a command builds, while it runs.
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { thisClient } from "../hook/push.ts";
import { watchExec } from "../hook/watch-exec.ts";
import { configuredHook } from "../store/hook.ts";
import { backgroundPush } from "./background-push.ts";
import { PUSH_FLAGS } from "./push.ts";

const NAME = { name: "watch-exec" };

export const WATCH_EXEC = command({
  ...NAME,
  summary: "runs a command and pushes what it builds, while it builds",
  args: "-- COMMAND",
  takesRest: true,
  details: [
    "A post-build hook that is set for this command alone notes what is built. With a Nix daemon that needs a user among its trusted-users; watch-store does not.",
    "The exit code is the command's. If that is 0 and paths could not be pushed, it is 5.",
  ],
  examples: [
    { line: "nix-cache watch-exec -- nix build .#default", does: "pushes each path as soon as it is built" },
  ],
  flags: PUSH_FLAGS,
  async run({ flags, global, rest, env, output }) {
    if (rest.length === 0) throw usage(NAME, "it needs a command after --");
    const push = backgroundPush(NAME.name, { flags, global, env, output });
    const client = thisClient();
    const before = await configuredHook(env);
    const { code, pushed, left } = await watchExec({
      command: rest,
      env,
      client,
      before,
      push,
      say: output.warn,
    });
    if (pushed === 0 && left === 0) {
      output.note(
        "nothing was pushed: nothing was built, or the daemon takes no hook of users that it does not trust",
      );
    } else {
      output.note(
        `pushed what was built: ${pushed} paths${left === 0 ? "" : `, and ${left} could not be pushed`}`,
      );
    }
    return code === EXIT.done && left > 0 ? EXIT.partly : code;
  },
});
