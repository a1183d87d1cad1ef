// What the user sees: results on standard output, everything else on standard error.
import process from "node:process";
import { Failure, lineOf } from "./failure.ts";
import { type Progress, progressOn } from "./progress.ts";

export interface OutputOptions {
  /** Results as JSON. */
  readonly json: boolean;
  /** Only results, warnings and errors. */
  readonly quiet: boolean;
}

export interface Output extends OutputOptions {
  /** The command's result: JSON with --json, else this text. */
  result(value: unknown, text: () => string): void;
  /** With --json the failure as a result, unless there was one: standard output is JSON in any case. */
  failure(error: unknown): void;
  /** Text on standard output as it is. */
  print(text: string): void;
  /** A line about the work, not shown with --quiet. */
  note(line: string): void;
  warn(line: string): void;
  fail(line: string): void;
  /** Bars in a terminal, else lines; nothing with --quiet. */
  progress(): Progress;
}

/** Whether the stream shows colors: a terminal, without NO_COLOR (https://no-color.org). */
export function showsColor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
}

/** What a cache answers must not steer the terminal. */
function withoutControls(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, "?");
}

export function createOutput(options: OutputOptions, env: NodeJS.ProcessEnv = process.env): Output {
  const { stdout, stderr } = process;
  const isColored = showsColor(stderr, env);
  const paint = (code: number, text: string) => (isColored ? `\x1b[${code}m${text}\x1b[0m` : text);
  let progress: Progress | undefined;
  let hasResult = false;
  const say = (line: string) => {
    progress?.clear();
    stderr.write(`${line}\n`);
  };
  return {
    ...options,
    result(value, text) {
      progress?.clear();
      hasResult = true;
      stdout.write(options.json ? `${JSON.stringify(value, undefined, 2)}\n` : withoutControls(text()));
    },
    failure(error) {
      this.fail(lineOf(error));
      if (!options.json || hasResult) return;
      const { kind = "failed", status } = error instanceof Failure ? error : {};
      const shown = { kind, message: lineOf(error), ...(status !== undefined && { status }) };
      this.result({ error: shown }, () => "");
    },
    print: (text) => {
      progress?.clear();
      stdout.write(text);
    },
    note: (line) => {
      if (!options.quiet) say(line);
    },
    warn: (line) => say(`${paint(33, "warning:")} ${line}`),
    fail: (line) => say(`${paint(31, "error:")} ${line}`),
    progress() {
      progress ??= progressOn(stderr, {
        isQuiet: options.quiet,
        isTerminal: stderr.isTTY === true && env.TERM !== "dumb" && !env.CI,
      });
      return progress;
    },
  };
}
