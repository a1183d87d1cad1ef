// Editing nix.conf by words of its lists: everything else stays as it is, comments and order included.

/** A setting of which words are added or removed: `extra-substituters`. */
export interface Words {
  readonly setting: string;
  readonly words: readonly string[];
}

interface Line {
  readonly setting: string;
  readonly words: string[];
  readonly comment: string;
}

/** Puts these words into the setting's last line, or into a new one at the end. */
export function addWords(conf: string, { setting, words }: Words): string {
  const lines = linesOf(conf);
  // A later line without `extra-` begins the list anew.
  const from = lines.findLastIndex((line) => parsed(line)?.setting === setting.replace(/^extra-/, ""));
  const at = lines.findLastIndex((line) => parsed(line)?.setting === setting);
  const line = at > from ? parsed(lines[at] ?? "") : undefined;
  const known = lines.flatMap((each, index) => {
    const other = parsed(each);
    return index >= from && other?.setting.replace(/^extra-/, "") === setting.replace(/^extra-/, "")
      ? other.words
      : [];
  });
  const added = words.filter((word) => !known.includes(word));
  if (added.length === 0) return conf;
  if (line === undefined) return textOf([...lines, `${setting} = ${added.join(" ")}`]);
  return textOf(lines.with(at, formatted({ ...line, words: [...line.words, ...added] })));
}

/** Takes these words out of the setting's lines, with `extra-` and without; a line without words goes. */
export function removeWords(conf: string, { setting, words }: Words): string {
  const plain = setting.replace(/^extra-/, "");
  const lines = linesOf(conf).flatMap((line) => {
    const found = parsed(line);
    if (found === undefined || found.setting.replace(/^extra-/, "") !== plain) return [line];
    const left = found.words.filter((word) => !words.includes(word));
    if (left.length === found.words.length) return [line];
    return left.length === 0 && found.setting !== plain ? [] : [formatted({ ...found, words: left })];
  });
  return textOf(lines);
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
  const [, content = "", comment = ""] = /^([^#]*)(#.*)?$/.exec(line) ?? [];
  const [, setting, value] = /^\s*([a-z0-9-]+)\s*=\s*(.*?)\s*$/.exec(content) ?? [];
  if (setting === undefined || value === undefined) return undefined;
  return { setting, words: value.split(/\s+/).filter((word) => word !== ""), comment };
}

function formatted({ setting, words, comment }: Line): string {
  return `${setting} = ${words.join(" ")}${comment && ` ${comment}`}`;
}

function linesOf(conf: string): string[] {
  const lines = conf.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
