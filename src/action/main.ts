// The action's first half: from here on Nix pulls from the cache, and a hook notes what is built.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { Failure, lineOf } from "../client/ground/failure.ts";
import { describe } from "../client/http/api.ts";
import { configuredHook } from "../client/store/hook.ts";
import type { CacheDescription } from "../contract/cache.ts";
import { confText, keysIn, makeFiles, userConfFiles, writeHook, writeNetrc } from "./configure.ts";
import { annotate, exportVariable, input, saveState } from "./github.ts";
import { cacheWith, login } from "./login.ts";
import { guarded, urlOf } from "./step.ts";

const CLIENT = resolve(import.meta.dirname, "../client/main.ts");
/** What a private cache says to a stranger; a named one looks as if there were none. */
const PRIVATE = [401, 404];

await guarded(async () => {
  const { env } = process;
  const url = urlOf(env);
  const files = makeFiles(env);
  saveState("notes", files.notes, env);
  let keys = keysIn(input("public-key", env));
  let token: string | undefined;
  try {
    let description = await describeTo(url, undefined);
    // A public cache is read without a token, so that there is none to be stolen while the job builds.
    if (description === undefined || description.visibility === "private") {
      token = await login(url, "pull", description, env);
      if (token === undefined) annotate("notice", `${url} is private, and this job has no token for it`);
      else description = await describeTo(url, token);
    }
    if (keys.length === 0) keys = keysIn((description?.public_keys ?? []).join(" "));
    if (keys.length === 0 && description !== undefined) {
      annotate("warning", `${url} has no public key, so that Nix takes nothing from it`);
    }
  } catch (error) {
    if (input("fail", env) === "true") throw error;
    annotate("warning", `${lineOf(error)}. The job goes on${keys.length === 0 ? " without the cache" : ""}.`);
  }
  const isPushing = input("push", env) !== "false";
  if (token !== undefined) writeNetrc(files.netrc, url, token, env);
  if (isPushing) writeHook(files.hook, files.notes, await hookBefore(), CLIENT);
  const conf = confText({
    url,
    keys,
    netrc: token === undefined ? undefined : files.netrc,
    hook: isPushing ? files.hook : undefined,
  });
  writeFileSync(files.conf, conf);
  exportVariable("NIX_USER_CONF_FILES", userConfFiles(files.conf, env), env);
  console.log(conf);
});

/** `undefined` where strangers may not know. */
async function describeTo(url: string, token: string | undefined): Promise<CacheDescription | undefined> {
  try {
    return await describe(cacheWith(url, token, process.env));
  } catch (error) {
    const isPrivate = error instanceof Failure && PRIVATE.includes(error.status ?? 0);
    if (isPrivate && token === undefined) return undefined;
    throw error;
  }
}

/** The hook that Nix is configured with; none where Nix is installed only later. */
async function hookBefore(): Promise<string | undefined> {
  return configuredHook(process.env).catch(() => undefined);
}
