// The help of the program and of each command, from the table.
import { EXIT_MEANINGS } from "../ground/exit.ts";
import { type Command, type Flag, type Flags, GLOBAL_FLAGS } from "./spec.ts";

const WIDTH = 92;
const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["NIX_CACHE_URL", "the cache"],
  ["NIX_CACHE_TOKEN", "the token"],
  ["NIX_CACHE_TOKEN_FILE", "a file with the token"],
];

export const SETTINGS_TEXT =
  "URL and token come from flags, the environment, netrc (by the cache's host: ~/.netrc, then Nix's own) " +
  "and ~/.config/nix-cache/config.toml (url, token or token_file; mode 0600), the first that has them.";

/** `nix-cache --help`. */
export function overview(commands: readonly Command[]): string {
  return [
    "usage: nix-cache COMMAND [FLAGS] [ARGUMENTS]\n",
    section(
      "commands",
      commands.map(({ name, summary }) => [name, summary]),
    ),
    section("flags of all commands", flagLines(GLOBAL_FLAGS)),
    section("environment", ENVIRONMENT),
    `${wrap(SETTINGS_TEXT, "")}\n`,
    section(
      "exit codes",
      EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
    ),
    "nix-cache COMMAND --help shows flags and examples of a command.\n",
  ].join("\n");
}

/** `nix-cache COMMAND --help`. */
export function helpOf(command: Command): string {
  return [
    `nix-cache ${command.name}: ${command.summary}\n`,
    `usage: ${usageLine(command)}\n`,
    ...(command.details ?? []).map((paragraph) => `${wrap(paragraph, "")}\n`),
    ...(Object.keys(command.flags).length === 0 ? [] : [section("flags", flagLines(command.flags))]),
    section("flags of all commands", flagLines(GLOBAL_FLAGS)),
    `examples:\n${command.examples.map(({ line, does }) => `  ${line}\n      ${does}\n`).join("")}`,
  ].join("\n");
}

export function usageLine({ name, flags, args, takesRest }: Command): string {
  const words = ["nix-cache", name];
  if (Object.keys(flags).length > 0) words.push("[FLAGS]");
  if (args !== undefined) words.push(args);
  if (takesRest && !args?.includes("--")) words.push("[-- ARGUMENTS...]");
  return words.join(" ");
}

export function flagTitle(name: string, { short, value }: Flag): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
}

function flagLines(flags: Flags): [string, string][] {
  return Object.entries(flags).map(([name, flag]) => [
    flagTitle(name, flag),
    `${flag.help}${flag.many ? "; may be given several times" : ""}`,
  ]);
}

function section(title: string, lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length)) + 4;
  return `${title}:\n${lines
    .map(([name, text]) => `${`  ${name}`.padEnd(width)}${wrap(text, " ".repeat(width)).trimStart()}\n`)
    .join("")}`;
}

/** Lines of at most {@link WIDTH} characters, each with this indentation. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.length + word.length + 1 > WIDTH && line.trim() !== "") {
      lines.push(line);
      line = indent;
    }
    line += line.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}
