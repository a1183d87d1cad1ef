// `nix-cache watch-store`: pushes all that comes into the store, without a hook.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { serve } from "../hook/daemon.ts";
import { note } from "../hook/notes.ts";
import { watchStore } from "../hook/store-watch.ts";
import { placeOf } from "../store/place.ts";
import { validPaths } from "../store/valid.ts";
import { backgroundPush } from "./background-push.ts";
import { PUSH_FLAGS } from "./push.ts";

const NAME = { name: "watch-store" };

export const WATCH_STORE = command({
  ...NAME,
  summary: "pushes all that comes into the store, until it is stopped",
  details: [
    "That includes what is fetched from other caches, except upstreams of this one. A hook (hook install) pushes only what is built.",
    "SIGTERM and SIGINT let it push what is there, and end. The exit code is 5 if paths could not be pushed.",
  ],
  examples: [{ line: "nix-cache watch-store", does: "in a terminal beside the one that builds" }],
  flags: PUSH_FLAGS,
  async run({ flags, global, env, output }) {
    const push = backgroundPush(NAME.name, { flags, global, env, output });
    const dir = mkdtempSync(join(tmpdir(), "nix-cache-"));
    const stopWatching = new AbortController();
    const stopPushing = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (stopWatching.signal.aborted) process.exit(EXIT.failed);
        stopWatching.abort();
      });
    }
    const storeDir = env.NIX_STORE_DIR || "/nix/store";
    const served = serve({ dir, push, stop: stopPushing.signal, say: output.warn });
    try {
      output.note(`pushes what comes into ${storeDir}; Ctrl-C ends it`);
      const watched = watchStore({
        storeDir,
        root: placeOf(env).root,
        stop: stopWatching.signal,
        validOf: (paths) => validPaths(paths, env),
        onValid: (paths) => note(dir, paths),
      });
      await Promise.race([watched, served]);
      stopPushing.abort();
      const { left } = await served;
      if (left > 0) output.warn(`${left} paths could not be pushed`);
      return left > 0 ? EXIT.partly : EXIT.done;
    } finally {
      stopWatching.abort();
      stopPushing.abort();
      await served.catch(() => undefined);
      rmSync(dir, { recursive: true, force: true });
    }
  },
});
