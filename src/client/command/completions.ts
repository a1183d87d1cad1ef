// Completions for bash, zsh and fish, from the table.
import { type Command, type Completion, type Flag, type Flags, GLOBAL_FLAGS } from "./spec.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export function completionsFor(shell: Shell, commands: readonly Command[]): string {
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      // zsh runs bash's function by its own emulation.
      return `#compdef nix-cache\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
    case "fish":
      return fish(commands);
  }
}

function bash(commands: readonly Command[]): string {
  const firstWords = [...new Set(commands.map(({ name }) => firstWord(name)))];
  const cases = commands.map((command) => {
    const flags = allFlags(command);
    const names = Object.entries(flags).flatMap(([name, { short }]) =>
      short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
    );
    const values = Object.entries(flags).flatMap(([name, flag]) =>
      flag.value === undefined ? [] : [`      --${name}) ${bashReply(flag.completes)}; return ;;`],
    );
    return [
      `    ${quoted(command.name)})`,
      `      case $previous in`,
      ...values.map((line) => `  ${line}`),
      `      esac`,
      `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W ${quoted(names.join(" "))} -- "$word")); else ${bashReply(command.completes)}; fi`,
      `      ;;`,
    ].join("\n");
  });
  const seconds = firstWords.flatMap((word) => {
    const words = secondWords(commands, word);
    return words.length === 0
      ? []
      : [`    ${quoted(word)}) COMPREPLY=($(compgen -W ${quoted(words.join(" "))} -- "$word")) ;;`];
  });
  // No command has an empty name: the pattern is never absent.
  const twoWords = ["''", ...commands.flatMap(({ name }) => (name.includes(" ") ? [quoted(name)] : []))].join(
    " | ",
  );
  return `_nix_cache() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${quoted([...firstWords, "help", "--help", "--version"].join(" "))} -- "$word"))
    return
  fi
  if ((COMP_CWORD > 2)); then
    case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
    ${twoWords}) command="\${COMP_WORDS[1]} \${COMP_WORDS[2]}" ;;
    esac
  fi
  case $command in
${[...cases, ...seconds].join("\n")}
  esac
}
complete -o filenames -F _nix_cache nix-cache
`;
}

function bashReply(completion: Completion | undefined): string {
  if (completion === "file") return "local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$word\"))";
  if (completion === "directory") return "local IFS=$'\\n'; COMPREPLY=($(compgen -d -- \"$word\"))";
  if (completion === undefined) return ":";
  return `COMPREPLY=($(compgen -W ${quoted(completion.join(" "))} -- "$word"))`;
}

function fish(commands: readonly Command[]): string {
  const lines = ["complete -c nix-cache -f"];
  for (const word of new Set(commands.map(({ name }) => firstWord(name)))) {
    const summary =
      commands.find(({ name }) => name === word)?.summary ?? secondWords(commands, word).join(", ");
    lines.push(`complete -c nix-cache -n __fish_use_subcommand -a ${quoted(word)} -d ${quoted(summary)}`);
  }
  for (const command of commands) {
    const [first = "", second] = command.name.split(" ");
    const seen = `__fish_seen_subcommand_from ${first}`;
    if (second !== undefined) {
      const others = `not __fish_seen_subcommand_from ${secondWords(commands, first).join(" ")}`;
      lines.push(
        `complete -c nix-cache -n '${seen}; and ${others}' -a ${quoted(second)} -d ${quoted(command.summary)}`,
      );
    }
    const condition = second === undefined ? seen : `${seen}; and __fish_seen_subcommand_from ${second}`;
    if (command.completes !== undefined) {
      lines.push(`complete -c nix-cache -n '${condition}' ${fishValue(command.completes)}`);
    }
    for (const [name, flag] of Object.entries(allFlags(command))) {
      lines.push(`complete -c nix-cache -n '${condition}' ${fishFlag(name, flag)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function fishFlag(name: string, { short, value, help, completes }: Flag): string {
  return [
    `-l ${name}`,
    ...(short === undefined ? [] : [`-s ${short}`]),
    // -x: no files beside the words.
    ...(value === undefined ? [] : [completes === "file" ? "-r" : "-x"]),
    ...(value === undefined || completes === undefined ? [] : [fishValue(completes)]),
    `-d ${quoted(help)}`,
  ].join(" ");
}

function fishValue(completion: Completion): string {
  if (completion === "file") return "-F";
  if (completion === "directory") return "-a '(__fish_complete_directories)'";
  return `-a ${quoted(completion.join(" "))}`;
}

function allFlags(command: Command): Flags {
  return { ...command.flags, ...GLOBAL_FLAGS };
}

function firstWord(name: string): string {
  return name.split(" ")[0] ?? name;
}

function secondWords(commands: readonly Command[], word: string): string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${word} `) ? [name.slice(word.length + 1)] : []));
}

function quoted(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}
