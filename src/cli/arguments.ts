// Parses the arguments that `npm start` passes to `wrangler dev`.

export interface StartArguments {
  /** The environment of `-e`/`--env`, whose secrets are in `.dev.vars.<env>` if there is such a file. */
  readonly env: string | undefined;
  /** Files of `--env-file`; with one of them wrangler does not read `.dev.vars`. */
  readonly envFiles: readonly string[];
  /** Variables of `--var NAME:value`. */
  readonly vars: Readonly<Record<string, string>>;
  readonly protocol: "http" | "https";
  /** Whether `--config` names a file for wrangler, which then has all settings. */
  readonly hasConfig: boolean;
  /** The port that is asked for; 0 is any. */
  readonly port: number;
  /** The folder of `--persist-to`. */
  readonly persistTo: string | undefined;
  /** Only the usage is asked for. */
  readonly isHelp: boolean;
  /** The arguments for wrangler: the given ones and, unless they override them, the defaults of `npm start`. */
  readonly forWrangler: readonly string[];
}

/**
 * Requests and bindings are not logged, so that the lines to paste stay on the screen; wrangler's hot keys would
 * draw over them.
 */
const DEFAULTS: readonly (readonly [option: string, value: string])[] = [
  ["--log-level", "warn"],
  ["--show-interactive-dev-session", "false"],
];

/** wrangler's. */
const DEFAULT_PORT = 8787;

export function readArguments(given: readonly string[]): StartArguments {
  const options = splitOptions(given);
  const last = (...names: string[]) => options.findLast(({ name }) => names.includes(name))?.values.at(-1);
  const all = (name: string) =>
    options.filter((option) => option.name === name).flatMap(({ values }) => values);
  const missing = DEFAULTS.filter(([option]) => !options.some(({ name }) => name === option));
  return {
    env: last("--env", "-e"),
    envFiles: all("--env-file"),
    vars: Object.fromEntries(all("--var").map(splitVar)),
    protocol: last("--local-protocol") === "https" ? "https" : "http",
    hasConfig: options.some(({ name }) => name === "--config" || name === "-c"),
    port: Number(last("--port") ?? DEFAULT_PORT),
    persistTo: last("--persist-to"),
    isHelp: options.some(({ name }) => name === "--help" || name === "-h"),
    forWrangler: [...given, ...missing.map(([option, value]) => `${option}=${value}`)],
  };
}

interface Option {
  readonly name: string;
  readonly values: readonly string[];
}

/** `--a x y --b=z` as wrangler reads it: an option takes the words after it, up to the next option. */
function splitOptions(given: readonly string[]): Option[] {
  const options: { name: string; values: string[] }[] = [];
  for (const word of given) {
    if (!word.startsWith("-")) {
      options.at(-1)?.values.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    options.push(
      equals < 0
        ? { name: word, values: [] }
        : { name: word.slice(0, equals), values: [word.slice(equals + 1)] },
    );
  }
  return options;
}

function splitVar(text: string): [name: string, value: string] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
}
