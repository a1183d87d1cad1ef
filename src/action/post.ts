// The action's second half, after the last step of the job: takes the right to push, and pushes what was noted.
import process from "node:process";
import { readPushFlags } from "../client/commands/push.ts";
import { Failure } from "../client/ground/failure.ts";
import { bytesText } from "../client/ground/format.ts";
import { serve } from "../client/hook/daemon.ts";
import { notesIn } from "../client/hook/notes.ts";
import { pushingBy } from "../client/hook/push.ts";
import { failureOf, type PushOptions, push } from "../client/push/push.ts";
import type { Env } from "../client/settings/locations.ts";
import { annotate, input, lines, state } from "./github.ts";
import { cacheWith, login } from "./login.ts";
import { guarded, urlOf } from "./step.ts";

await guarded(async () => {
  const { env } = process;
  const notes = state("notes", env);
  if (input("push", env) === "false" || notes === "") return;
  const url = urlOf(env);
  const paths = lines("paths", env);
  const pin = input("pin", env);
  const built = notesIn(notes).length;
  if (built === 0 && paths.length === 0 && pin === "") {
    console.log("Nothing was built. (A Nix daemon takes the hook only from its trusted-users.)");
    return;
  }
  const description = await cacheWith(url, undefined, env)
    .call<Parameters<typeof login>[2]>("GET", "/cache")
    .catch(() => undefined);
  const token = await login(url, "push", description, env).catch(refusedJob);
  if (token === undefined) {
    annotate(
      "notice",
      "nothing is pushed: the job has no token (a fork, or no 'permissions: id-token: write')",
    );
    return;
  }
  await pushAll({ url, token, notes, paths, pin, env });
});

/** As for a pull request of a branch, which the rules do not let push: that is how it should be. */
function refusedJob(error: unknown): undefined {
  const isRefused = error instanceof Failure && error.kind === "refused";
  if (!isRefused || input("fail", process.env) === "true") throw error;
  annotate("notice", error.message);
}

interface Job {
  readonly url: string;
  readonly token: string;
  readonly notes: string;
  readonly paths: readonly string[];
  readonly pin: string;
  readonly env: Env;
}

async function pushAll({ url, token, notes, paths, pin, env }: Job): Promise<void> {
  const withToken = { ...env, NIX_CACHE_TOKEN: token };
  const options = optionsOf(withToken);
  const global = {
    url,
    "token-file": undefined,
    "netrc-file": undefined,
    json: false,
    quiet: false,
    help: false,
  };
  const { left } = await serve({
    dir: notes,
    push: pushingBy(global, options),
    stop: AbortSignal.abort(),
    say: (line) => console.log(line),
  });
  const cache = cacheWith(url, token, env);
  if (paths.length > 0 || pin !== "") {
    const report = await push(cache, paths.length > 0 ? paths : ["./result"], options);
    console.log(
      `pushed ${report.pushed.length} paths (${bytesText(report.sent)} sent), ${report.present} were there`,
    );
    const failure = failureOf(report, "pushed");
    if (failure !== undefined) throw failure;
    if (pin !== "") await pinned(pin, report.roots);
  }
  if (left > 0)
    throw new Failure("partly", `${left} of the paths that were built are not pushed; see the log`);

  async function pinned(name: string, [root, ...others]: readonly string[]): Promise<void> {
    if (root === undefined || others.length > 0) {
      throw new Failure("usage", "pin needs one path: name it by 'paths', or leave it in ./result");
    }
    await cache.call("PUT", `/pins/${encodeURIComponent(name)}`, { store_path: root });
    console.log(`pinned ${root} as ${name}`);
  }
}

function optionsOf(env: Env): PushOptions {
  const flags = {
    exclude: lines("exclude", env),
    "max-size": undefined,
    jobs: undefined,
    compression: undefined,
    "part-size": undefined,
    "no-listings": false,
    "no-logs": false,
  };
  return {
    ...readPushFlags(flags, "the action"),
    closure: true,
    dryRun: false,
    env,
    onProgress: () => undefined,
    warn: (line) => annotate("warning", line),
  };
}
