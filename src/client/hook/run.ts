// Pushing while something else runs: the daemon, in this process, over a private directory of notes.
import { type PushBatch, type Served, serve } from "./daemon.ts";

export interface Background {
  /** Lets it push all that is noted, and resolves when it has. */
  drain(): Promise<Served>;
}

export function serveInBackground(dir: string, push: PushBatch, say: (line: string) => void): Background {
  const stop = new AbortController();
  const served = serve({ dir, push, stop: stop.signal, say });
  // Whoever drains gets the error; until then it is not unhandled.
  served.catch(() => undefined);
  return {
    drain() {
      stop.abort();
      return served;
    },
  };
}
