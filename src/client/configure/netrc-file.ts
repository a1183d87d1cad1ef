// Editing netrc: the line of one machine, all others as they are.

/** With this password for the host; a line of ours or another's for it is replaced. */
export function withMachine(netrc: string, host: string, password: string): string {
  const rest = withoutMachine(netrc, host);
  // Before `default`, after which nothing is read.
  const at = /^default\b/m.exec(rest)?.index ?? rest.length;
  const before = rest.slice(0, at);
  const separator = before === "" || before.endsWith("\n") ? "" : "\n";
  return `${before}${separator}machine ${host} login nix password ${word(password)}\n${rest.slice(at)}`;
}

/** Without the entry of the host, on one line or several. */
export function withoutMachine(netrc: string, host: string): string {
  const name = host.replace(/[.\\*+?^$(){}|[\]]/g, "\\$&");
  const entry = new RegExp(
    `^machine[ \\t]+${name}(?:\\s+(?:login|password|account)\\s+(?:"(?:[^"\\\\]|\\\\.)*"|\\S+))*[ \\t]*\\n?`,
    "gim",
  );
  return netrc.replace(entry, "");
}

/** curl ends a word at white space unless it is quoted. */
function word(text: string): string {
  return /^[!#-[\]-~]+$/.test(text) && !text.startsWith("#") ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
