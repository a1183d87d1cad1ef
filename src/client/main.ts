#!/usr/bin/env node
// `nix-cache`, the client: finds the command, runs it, and turns failures into a line and an exit code.
import process from "node:process";
import { helpOf, overview } from "./command/help.ts";
import { nearest } from "./command/nearest.ts";
import { findCommand, parse } from "./command/parse.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT } from "./ground/exit.ts";
import { exitCodeOf, Failure, isSystemError } from "./ground/failure.ts";
import { requireNode } from "./ground/node.ts";
import { createOutput, type Output } from "./ground/output.ts";
import { VERSION } from "./version.ts";

// The reader of a pipe has gone, as `head` does.
process.stdout.on("error", (error) => {
  if (!isSystemError(error, "EPIPE")) throw error;
  process.exit(EXIT.done);
});
// Without a reader of messages the work goes on.
process.stderr.on("error", (error) => {
  if (!isSystemError(error, "EPIPE")) throw error;
});
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  // Of what goes wrong before the flags are read.
  const ends = argv.indexOf("--");
  const flags = argv.slice(0, ends === -1 ? undefined : ends);
  let output = createOutput({ json: flags.includes("--json"), quiet: false });
  try {
    return await run(argv, (chosen) => {
      output = chosen;
    });
  } catch (error) {
    output.failure(error);
    if (!(error instanceof Failure) && process.env.NIX_CACHE_DEBUG) console.error(error);
    return exitCodeOf(error);
  }
}

async function run(argv: readonly string[], use: (output: Output) => void): Promise<number> {
  const [first, ...others] = argv;
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const asked = first === "help" ? findCommand(COMMANDS, others) : undefined;
    if (first === "help" && others.length > 0 && asked === undefined) throw unknown(others);
    process.stdout.write(asked === undefined ? overview(COMMANDS) : helpOf(asked.command));
    return first === undefined ? EXIT.usage : EXIT.done;
  }
  if (first === "--version") {
    process.stdout.write(`nix-cache ${VERSION}\n`);
    return EXIT.done;
  }
  const found = findCommand(COMMANDS, argv);
  if (found === undefined) throw unknown(argv);
  const { global, ...parsed } = parse(found.command, found.argv);
  if (global.help) {
    process.stdout.write(helpOf(found.command));
    return EXIT.done;
  }
  requireNode(process.versions.node);
  const output = createOutput({ json: global.json, quiet: global.quiet });
  use(output);
  // The parser has made the values by the same table that types them.
  const flags = parsed.flags as Parameters<typeof found.command.run>[0]["flags"];
  return found.command.run({ ...parsed, flags, global, output, env: process.env });
}

function unknown([first = "", second]: readonly string[]): Failure {
  const below = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (below.length > 0)
    return new Failure("usage", `${first} ${second ?? ""}: it is one of ${below.join(", ")}`);
  if (first.startsWith("-"))
    return new Failure("usage", `${first}: the command comes first (nix-cache --help shows all)`);
  const names = COMMANDS.map(({ name }) => name);
  const meant = nearest(`${first} ${second ?? ""}`, names) ?? nearest(first, names);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  return new Failure("usage", `there is no command '${first}'${hint} (nix-cache --help shows them)`);
}
