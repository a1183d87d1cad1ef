// From arguments to a command and its flags.
import { parseArgs } from "node:util";
import { Failure, lineOf } from "../ground/failure.ts";
import { nearest } from "./nearest.ts";
import { type Command, type Flags, GLOBAL_FLAGS, type GlobalValues } from "./spec.ts";

export interface Parsed {
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly global: GlobalValues;
  readonly args: readonly string[];
  readonly rest: readonly string[];
}

/** The command that the first words name, and the arguments after them; `undefined` if there is none. */
export function findCommand(
  commands: readonly Command[],
  argv: readonly string[],
): { readonly command: Command; readonly argv: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(" ");
    const command = commands.find((candidate) => candidate.name === name);
    if (command !== undefined) return { command, argv: argv.slice(length) };
  }
  return undefined;
}

/** Throws {@link Failure} of usage. */
export function parse(command: Command, argv: readonly string[]): Parsed {
  const all: Flags = { ...GLOBAL_FLAGS, ...command.flags };
  const { values, args, rest } = split(command, argv, all);
  const global: GlobalValues = {
    url: textOf(values.url),
    "token-file": textOf(values["token-file"]),
    "netrc-file": textOf(values["netrc-file"]),
    json: values.json === true,
    quiet: values.quiet === true,
    help: values.help === true,
  };
  const flags = Object.fromEntries(
    Object.entries(command.flags).map(([name, flag]) => [
      name,
      values[name] ?? (flag.many ? [] : flag.value === undefined ? false : undefined),
    ]),
  );
  if (!global.help) requireCount(command, args);
  return { flags, global, args, rest };
}

type Values = Readonly<Record<string, string | boolean | string[] | undefined>>;

function split(command: Command, argv: readonly string[], all: Flags) {
  try {
    const { values, tokens } = parseArgs({
      args: [...argv],
      options: Object.fromEntries(
        Object.entries(all).map(([name, flag]) => [
          name,
          {
            type: flag.value === undefined ? ("boolean" as const) : ("string" as const),
            ...(flag.short !== undefined && { short: flag.short }),
            ...(flag.many && { multiple: true }),
          },
        ]),
      ),
      allowPositionals: true,
      strict: true,
      tokens: true,
    });
    // Behind `--` stands the command that one runs, or, as everywhere, what only looks like a flag.
    const terminator = command.takesRest && tokens.find(({ kind }) => kind === "option-terminator");
    const end = terminator ? terminator.index : argv.length;
    const args = tokens.flatMap((token) =>
      token.kind === "positional" && token.index < end ? [token.value] : [],
    );
    return { values: values as Values, args, rest: argv.slice(end + 1) };
  } catch (error) {
    const [line = ""] = lineOf(error).replace(/\.?\n/g, ". ").split(". To specify a positional");
    const [, unknown = ""] = /^Unknown option '--(.+)'$/.exec(line) ?? [];
    const meant = nearest(unknown, Object.keys(all));
    throw usage(
      command,
      `${line.replace(/^./, (letter) => letter.toLowerCase())}${meant === undefined ? "" : `; did you mean --${meant}?`}`,
    );
  }
}

function requireCount(command: Command, args: readonly string[]): void {
  const { min, max } = command.takes ?? { min: 0, max: 0 };
  if (args.length < min) throw usage(command, `it needs ${command.args ?? "an argument"}`);
  if (args.length > max) throw usage(command, `unexpected argument '${args[max]}'`);
}

export function usage({ name }: { readonly name: string }, line: string): Failure {
  return new Failure("usage", `${name}: ${line} (nix-cache ${name} --help)`);
}

function textOf(value: Values[string]): string | undefined {
  return typeof value === "string" ? value : undefined;
}
