// A command as the table describes it: help, completions, manual page and the parsing of arguments come from here.
import type { Output } from "../ground/output.ts";

export interface Flag {
  /** What takes the place of the value in help, `NAME`; a flag without is on or off. */
  readonly value?: string;
  /** May be given several times. */
  readonly many?: true;
  readonly short?: string;
  readonly help: string;
  /** What a shell completes the value by. */
  readonly completes?: Completion;
}

/** Files, directories, or one of these words. */
export type Completion = "file" | "directory" | readonly string[];

export type Flags = Readonly<Record<string, Flag>>;

/** The value of each flag: a text, a list of texts, or whether it was given. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends { readonly many: true }
    ? readonly string[]
    : F[K] extends { readonly value: string }
      ? string | undefined
      : boolean;
};

/** Flags that every command has. */
export const GLOBAL_FLAGS = {
  url: { value: "URL", help: "the cache: https://cache.example.org, or https://cache.example.org/NAME" },
  "token-file": { value: "FILE", help: "a file with the token", completes: "file" },
  "netrc-file": { value: "FILE", help: "the netrc to take the token from", completes: "file" },
  json: { help: "the result as JSON" },
  quiet: { short: "q", help: "only results, warnings and errors" },
  help: { short: "h", help: "shows this help" },
} as const satisfies Flags;

export type GlobalValues = FlagValues<typeof GLOBAL_FLAGS>;

/** One call of a command. */
export interface Invocation<F extends Flags> {
  readonly flags: FlagValues<F>;
  readonly global: GlobalValues;
  /** Arguments that are no flags, before `--`. */
  readonly args: readonly string[];
  /** Arguments after `--`. */
  readonly rest: readonly string[];
  readonly output: Output;
  readonly env: NodeJS.ProcessEnv;
}

export interface Example {
  /** A line for a shell. */
  readonly line: string;
  readonly does: string;
}

export interface CommandSpec<F extends Flags> {
  /** One word, or two: "token mint". */
  readonly name: string;
  /** One line without a full stop. */
  readonly summary: string;
  /** The arguments in the line of usage, such as "[PATH...]". */
  readonly args?: string;
  /** Of how many arguments before `--` it takes; absent: none. */
  readonly takes?: { readonly min: number; readonly max: number };
  /** Takes arguments after `--`. */
  readonly takesRest?: true;
  /** What a shell completes the arguments by. */
  readonly completes?: Completion;
  /** Paragraphs of the help. */
  readonly details?: readonly string[];
  readonly examples: readonly Example[];
  readonly flags: F;
  /** Resolves to the exit code. */
  run(invocation: Invocation<F>): Promise<number>;
}

export type Command = CommandSpec<Flags>;

/** Checks a command's description and its flags' types. */
export function command<const F extends Flags>(spec: CommandSpec<F>): CommandSpec<F> {
  return spec;
}
