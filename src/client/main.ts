#!/usr/bin/env node
// `nix-cache`, the client: finds the command, runs it, and turns failures into a line and an exit code.
import process from "node:process";
import { helpOf, overview } from "./command/help.ts";
import { findCommand, parse } from "./command/parse.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT } from "./ground/exit.ts";
import { exitCodeOf, Failure, isSystemError, lineOf } from "./ground/failure.ts";
import { requireNode } from "./ground/node.ts";
import { createOutput } from "./ground/output.ts";
import { VERSION } from "./version.ts";

// The reader of a pipe has gone, as `head` does.
process.stdout.on("error", (error) => {
  if (!isSystemError(error, "EPIPE")) throw error;
  process.exit(EXIT.done);
});
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await run(argv);
  } catch (error) {
    createOutput({ json: false, quiet: false }).fail(lineOf(error));
    if (!(error instanceof Failure) && process.env.NIX_CACHE_DEBUG) console.error(error);
    return exitCodeOf(error);
  }
}

async function run(argv: readonly string[]): Promise<number> {
  const [first, ...others] = argv;
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const asked = first === "help" ? findCommand(COMMANDS, others) : undefined;
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
  // The parser has made the values by the same table that types them.
  const flags = parsed.flags as Parameters<typeof found.command.run>[0]["flags"];
  return found.command.run({ ...parsed, flags, global, output, env: process.env });
}

function unknown([first = "", second]: readonly string[]): Failure {
  const below = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (below.length > 0)
    return new Failure("usage", `${first} ${second ?? ""}: it is one of ${below.join(", ")}`);
  return new Failure("usage", `there is no command '${first}' (nix-cache --help shows them)`);
}
