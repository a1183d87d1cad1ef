// `nix-cache hook send`: what a post-build hook calls.
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { lineOf } from "../ground/failure.ts";
import { builtPaths } from "../hook/built.ts";
import { note } from "../hook/notes.ts";
import { wake } from "../hook/wake.ts";

/** A build waits no longer, whatever the disk does. */
const MAX_MS = 5_000;
const WAKE_MS = 250;

export const HOOK_SEND = command({
  name: "hook send",
  summary: "notes what was built for the daemon: what a post-build hook calls",
  details: [
    "It takes the paths from OUT_PATHS, or where Nix leaves that empty from the derivation in DRV_PATH.",
    "It needs neither a cache nor a network, and its exit code is 0 whatever happens, because a hook that fails stops the build.",
  ],
  examples: [{ line: "nix-cache hook send --dir /var/lib/nix-cache-hook", does: "in a post-build hook" }],
  flags: {
    dir: { value: "DIR", help: "the daemon's directory", completes: "directory" },
    socket: { value: "PATH", help: "a socket that wakes the daemon", completes: "file" },
  },
  async run({ flags: { dir, socket }, env, output }) {
    setTimeout(() => process.exit(EXIT.done), MAX_MS).unref();
    try {
      const paths = builtPaths(env);
      if (dir === undefined) output.warn("hook send needs --dir DIR: nothing is pushed");
      else note(dir, paths);
      if (socket !== undefined && paths.length > 0) await wake(socket, WAKE_MS);
    } catch (error) {
      output.warn(`nix-cache pushes nothing of this build: ${lineOf(error)}`);
    }
    return EXIT.done;
  },
});
