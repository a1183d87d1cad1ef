// The manual page, nix-cache(1), from the table: roff with the man macros.
import { EXIT_MEANINGS } from "../ground/exit.ts";
import { flagTitle, SETTINGS_TEXT, usageLine } from "./help.ts";
import { type Command, type Flags, GLOBAL_FLAGS } from "./spec.ts";

export function manualPage(commands: readonly Command[], version: string): string {
  return [
    `.TH NIX-CACHE 1 "" "nix-cache ${version}" "User Commands"`,
    ".SH NAME",
    "nix-cache \\- client of a Nix binary cache",
    ".SH SYNOPSIS",
    ".B nix-cache",
    roff("COMMAND [FLAGS] [ARGUMENTS]"),
    ".SH DESCRIPTION",
    roff(
      "Pushes store paths to a nix-cache, configures Nix to pull from it, finds what is wrong between them, and manages it.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(commandLines),
    ".SH OPTIONS OF ALL COMMANDS",
    ...flagLines(GLOBAL_FLAGS),
    ".SH SETTINGS",
    roff(SETTINGS_TEXT),
    ".SH EXIT STATUS",
    ...EXIT_MEANINGS.flatMap(([code, meaning]) => [".TP", `.B ${code}`, roff(meaning)]),
    "",
  ].join("\n");
}

function commandLines(command: Command): string[] {
  return [
    `.SS ${roff(usageLine(command))}`,
    roff(`${capitalized(command.summary)}.`),
    ...(command.details ?? []).flatMap((paragraph) => [".PP", roff(paragraph)]),
    ...flagLines(command.flags),
    ...command.examples.flatMap(({ line, does }) => [
      ".PP",
      roff(`${capitalized(does)}:`),
      ".PP",
      ".RS",
      ".nf",
      roff(line),
      ".fi",
      ".RE",
    ]),
  ];
}

function flagLines(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, flag]) => [
    ".TP",
    `.B ${roff(flagTitle(name, flag))}`,
    roff(`${capitalized(flag.help)}.`),
  ]);
}

/** A line must not begin with a control character, and a hyphen of a flag is a minus sign. */
function roff(text: string): string {
  return text.replace(/\\/g, "\\e").replace(/-/g, "\\-").replace(/^[.']/, "\\&$&");
}

function capitalized(text: string): string {
  return text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}
