// `nix-cache hook serve`: the daemon that pushes what the hook has noted.
import { mkdirSync } from "node:fs";
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { serve } from "../hook/daemon.ts";
import { backgroundPush } from "./background-push.ts";
import { PUSH_FLAGS } from "./push.ts";

const NAME = { name: "hook serve" };

export const HOOK_SERVE = command({
  ...NAME,
  summary: "pushes what the hook has noted",
  details: [
    "It keeps its queue in DIR, where it survives kills and restarts. What could not be pushed is tried again later, for about half a day.",
    "SIGTERM and SIGINT let it push what is noted, once, and end; a second one ends it at once. It takes a socket from systemd.",
  ],
  examples: [
    {
      line: "nix-cache hook serve --dir /var/lib/nix-cache-hook --url https://cache.example.org --token-file /etc/nix/token",
      does: "in a terminal or a service",
    },
  ],
  flags: {
    ...PUSH_FLAGS,
    dir: { value: "DIR", help: "the directory of the notes and the queue", completes: "directory" },
    socket: { value: "PATH", help: "a socket that wakes it, in the place of systemd's", completes: "file" },
    "idle-exit": { value: "SECONDS", help: "ends when there was nothing to do for so long" },
  },
  async run({ flags, global, env, output }) {
    if (flags.dir === undefined) throw usage(NAME, "it needs --dir DIR");
    const idleSeconds = flags["idle-exit"];
    if (idleSeconds !== undefined && !/^[0-9]{1,6}$/.test(idleSeconds)) {
      throw usage(NAME, "--idle-exit is a number of seconds");
    }
    const push = backgroundPush(NAME.name, { flags, global, env, output });
    mkdirSync(flags.dir, { recursive: true, mode: 0o700 });
    const stop = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (stop.signal.aborted) process.exit(EXIT.failed);
        stop.abort();
      });
    }
    const { left } = await serve({
      dir: flags.dir,
      push,
      stop: stop.signal,
      say: output.warn,
      socket: flags.socket,
      idleExitMs: idleSeconds === undefined ? undefined : Number(idleSeconds) * 1000,
    });
    if (left > 0) output.note(`${left} paths are left for the next start`);
    return EXIT.done;
  },
});
