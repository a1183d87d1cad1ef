// Editing nix.conf by words of its lists: everything else stays as it is, comments and order included.

/** A setting of which words are added or removed: `extra-substituters`. */
export interface Words {
  readonly setting: string;
  readonly words: readonly string[];
}

interface Line {
  readonly setting: string;
  readonly words: string[];
  /** The line is these three together: up to `=`, the words with the spaces before them, and what follows. */
  readonly head: string;
  readonly value: string;
  readonly tail: string;
}

/** Names that Nix also takes. */
const ALIASES: Readonly<Record<string, string>> = {
  "binary-caches": "substituters",
  "trusted-binary-caches": "trusted-substituters",
  "binary-cache-public-keys": "trusted-public-keys",
};

/** Puts these words into the setting's last line, or into a new one at the end. */
export function addWords(conf: string, { setting, words }: Words): string {
  const lines = linesOf(conf);
  const plain = plainName(setting);
  const parsedLines = lines.map(parsed);
  // A later line without `extra-` begins the list anew.
  const from = parsedLines.findLastIndex((line) => line !== undefined && plainAs(line.setting) === plain);
  // So may a file that is included.
  const included = lines.findLastIndex((line) => /^\s*!?include\s/.test(line));
  const at = parsedLines.findLastIndex((line) => line?.setting === setting);
  const line = at >= from && at > included ? parsedLines[at] : undefined;
  const known = parsedLines.flatMap((other, index) =>
    index >= from && other !== undefined && plainName(other.setting) === plain ? other.words : [],
  );
  const added = words.filter((word) => !known.includes(word));
  if (added.length === 0) return conf;
  if (line !== undefined) {
    const changed = `${line.head}${line.value} ${added.join(" ")}${line.tail}`;
    return lines.with(at, changed).join("\n");
  }
  const eol = conf.includes("\r\n") ? "\r\n" : "\n";
  const isEnded = conf === "" || conf.endsWith("\n");
  const text = `${setting} = ${added.join(" ")}`;
  return isEnded ? `${conf}${text}${eol}` : `${conf}${eol}${text}`;
}

/** Takes these words out of the setting's lines, with `extra-` and without; a line without words goes. */
export function removeWords(conf: string, { setting, words }: Words): string {
  const plain = plainName(setting);
  const left = linesOf(conf).flatMap((line) => {
    const found = parsed(line);
    if (found === undefined || plainName(found.setting) !== plain) return [line];
    const pieces = found.value.match(/\s*\S+/g) ?? [];
    const kept = pieces.filter((piece) => !words.includes(piece.trim()));
    if (kept.length === pieces.length) return [line];
    if (kept.length === 0 && found.setting.startsWith("extra-")) return [];
    return [`${found.head}${kept.join("")}${found.tail}`];
  });
  return left.join("\n").replace(/\r$/, "");
}

/** The value of a setting's last line. */
export function valueIn(conf: string, setting: string): string | undefined {
  return linesOf(conf)
    .map(parsed)
    .findLast((line) => line?.setting === setting)
    ?.words.join(" ");
}

/** The whole file's lines that differ, as `- old` and `+ new`. */
export function changes(before: string, after: string): string[] {
  const old = linesOf(before);
  const now = linesOf(after);
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
}

function parsed(line: string): Line | undefined {
  const [, head, setting, value = "", tail = ""] =
    /^(\s*([a-z0-9-]+)\s*=)([^#]*?)(\s*(?:#.*)?\r?)$/.exec(line) ?? [];
  if (head === undefined || setting === undefined) return undefined;
  return { setting, words: value.split(/\s+/).filter((word) => word !== ""), head, value, tail };
}

/** Without `extra-`, by Nix's present name. */
function plainName(setting: string): string {
  return plainAs(setting.replace(/^extra-/, ""));
}

function plainAs(setting: string): string {
  return ALIASES[setting] ?? setting;
}

/** The last one is empty where the text ends in a newline. */
function linesOf(conf: string): string[] {
  return conf.split("\n");
}
