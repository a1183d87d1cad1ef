// The cache's URL and the token: from flags, the environment, netrc and the configuration file, in this order.
import { readFileSync, statSync } from "node:fs";
import type { GlobalValues } from "../command/spec.ts";
import { Failure, isSystemError, lineOf } from "../ground/failure.ts";
import { configFile, type Env, netrcFiles } from "./locations.ts";
import { doubtAbout, passwordIn } from "./netrc.ts";
import { parseToml, type TomlValue } from "./toml.ts";

export interface Settings {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | undefined;
  /** Where the token is from, for messages. */
  readonly tokenFrom: string | undefined;
  /** Why it may not be the token that the user means, or why there is none. */
  readonly tokenDoubt?: string | undefined;
}

type Given = Pick<GlobalValues, "url" | "token-file" | "netrc-file">;

const CONFIG_KEYS = ["url", "token", "token_file"];
/** Bits of a file's mode that let others read it. */
const READABLE_BY_OTHERS = 0o044;

/** Throws {@link Failure} of usage. `argument` is a URL given as a command's argument. */
export function readSettings(given: Given, env: Env, argument?: string): Settings {
  const config = readConfig(env);
  const url = argument ?? given.url ?? (env.NIX_CACHE_URL || textOf(config, "url"));
  if (url === undefined) {
    throw new Failure(
      "usage",
      `no cache is named: give --url URL, or set NIX_CACHE_URL or url in ${configFile(env)}`,
    );
  }
  const cache = parseUrl(url);
  const [token, tokenFrom, tokenDoubt] = findToken(given, env, config, new URL(cache).hostname) ?? [];
  return { url: cache, token, tokenFrom, tokenDoubt };
}

/** The URL without a slash at the end. Throws {@link Failure} of usage. */
export function parseUrl(text: string): string {
  const url = URL.parse(text);
  // First: the other message repeats the text.
  if (/^[^/]*\/\/[^/]*@/.test(text)) {
    throw new Failure("usage", "the URL must not contain the token: put it into netrc or NIX_CACHE_TOKEN");
  }
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new Failure("usage", `'${text}' is no URL of a cache, such as https://cache.example.org`);
  }
  return url.href.replace(/\/+$/, "");
}

function findToken(
  given: Given,
  env: Env,
  config: ReadonlyMap<string, TomlValue>,
  host: string,
): [token: string | undefined, from: string | undefined, doubt?: string | undefined] | undefined {
  const tokenFile = given["token-file"];
  if (tokenFile !== undefined) return [tokenIn(tokenFile), tokenFile];
  if (env.NIX_CACHE_TOKEN)
    return [checkToken(env.NIX_CACHE_TOKEN.trim(), "NIX_CACHE_TOKEN"), "NIX_CACHE_TOKEN"];
  if (env.NIX_CACHE_TOKEN_FILE) return [tokenIn(env.NIX_CACHE_TOKEN_FILE), env.NIX_CACHE_TOKEN_FILE];
  const netrc = given["netrc-file"];
  for (const file of netrc === undefined ? netrcFiles(env) : [netrc]) {
    const text = readIfThere(file, netrc !== undefined);
    const password = text === undefined ? undefined : passwordIn(text, host);
    if (text === undefined || password === undefined) continue;
    const doubt = doubtAbout(text, host, file);
    return password === "" ? [undefined, undefined, doubt] : [checkToken(password, file), file, doubt];
  }
  const ofConfig = textOf(config, "token");
  if (ofConfig !== undefined) return [checkToken(ofConfig, configFile(env)), configFile(env)];
  const fileOfConfig = textOf(config, "token_file");
  return fileOfConfig === undefined ? undefined : [tokenIn(fileOfConfig), fileOfConfig];
}

function readConfig(env: Env): ReadonlyMap<string, TomlValue> {
  const file = configFile(env);
  const text = readIfThere(file, false);
  if (text === undefined) return new Map();
  const config = parsedConfig(text, file);
  const unknown = [...config.keys()].find((key) => !CONFIG_KEYS.includes(key));
  if (unknown !== undefined) {
    throw new Failure("usage", `${file}: unknown key '${unknown}'; it takes ${CONFIG_KEYS.join(", ")}`);
  }
  if (config.has("token") && (statSync(file).mode & READABLE_BY_OTHERS) !== 0) {
    throw new Failure("usage", `${file} has a token and can be read by others: chmod 600 ${file}`);
  }
  return config;
}

function parsedConfig(text: string, file: string): Map<string, TomlValue> {
  try {
    return parseToml(text);
  } catch (error) {
    throw new Failure("usage", `${file}: ${lineOf(error)}`);
  }
}

function textOf(config: ReadonlyMap<string, TomlValue>, key: string): string | undefined {
  const value = config.get(key);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function tokenIn(file: string): string {
  return checkToken((readIfThere(file, true) ?? "").trim(), file);
}

/** A header cannot have other characters, and a file with several lines is no token. */
function checkToken(token: string, from: string): string {
  if (/^[!-~]+$/.test(token)) return token;
  throw new Failure("usage", `${from} has no token: it must be one word of printable characters`);
}

/** `undefined` where the file does not exist or, unless `isRequired`, cannot be read. Throws {@link Failure}. */
function readIfThere(file: string, isRequired: boolean): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (!isRequired && isSystemError(error, "ENOENT", "EACCES", "ENOTDIR")) return undefined;
    throw new Failure("usage", `cannot read ${file}: ${lineOf(error)}`);
  }
}
