// Editing netrc: the line of one machine, all others as they are.

/** With this password for the host; a line of ours or another's for it is replaced. */
export function withMachine(netrc: string, host: string, password: string): string {
  // First: nothing is read after `default`, nor in a macro, which only an empty line ends.
  return `machine ${host} login nix password ${word(password)}\n${withoutMachine(netrc, host)}`;
}

/** The value of a word; the first word of the next entry is none. */
const VALUE = '(?:[ \\t]+|\\s+(?!(?:machine|default)\\s))(?:"(?:[^"\\\\]|\\\\.)*"|\\S+)';

/** Without the entry of the host, on one line or several. */
export function withoutMachine(netrc: string, host: string): string {
  const name = escaped(host);
  const entry = new RegExp(
    `^machine[ \\t]+${name}(?:\\s+(?:login|password|account)(?:${VALUE})?)*[ \\t]*\\n?`,
    "gim",
  );
  return netrc.replace(entry, "");
}

/** Without what {@link withMachine} writes; another entry of the host is the user's own. */
export function withoutOwnMachine(netrc: string, host: string): string {
  const line = new RegExp(
    `^machine ${escaped(host)} login nix password (?:"(?:[^"\\\\]|\\\\.)*"|\\S+)\\n`,
    "gm",
  );
  return netrc.replace(line, "");
}

function escaped(text: string): string {
  return text.replace(/[.\\*+?^$(){}|[\]]/g, "\\$&");
}

/** curl ends a word at white space unless it is quoted. */
function word(text: string): string {
  return /^[!#-[\]-~]+$/.test(text) && !text.startsWith("#") ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
