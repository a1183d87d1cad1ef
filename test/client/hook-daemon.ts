// A daemon for the tests to kill: `node hook-daemon.ts DIR FILE` pushes by adding lines to FILE, in its own time.
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { serve } from "../../src/client/hook/daemon.ts";

const [dir = "", file = ""] = process.argv.slice(2);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
await serve({
  dir,
  stop: stop.signal,
  say: (line) => console.error(line),
  async push(paths) {
    await setTimeout(Math.random() * 20);
    const opened = openSync(file, "a");
    writeSync(opened, paths.map((path) => `${path}\n`).join(""));
    fsyncSync(opened);
    closeSync(opened);
    await setTimeout(Math.random() * 20);
    return [];
  },
});
