// Reading netrc as curl does, which Nix uses: the password of a machine.

interface Entry {
  /** `undefined`: `default`. */
  readonly host: string | undefined;
  /** Empty where the word is missing. */
  readonly password: string;
}

/** The password for this host, or the one of `default`, which may be empty; `undefined` if there is neither. */
export function passwordIn(netrc: string, host: string): string | undefined {
  return entriesIn(netrc).find((entry) => entry.host === undefined || isSame(entry.host, host))?.password;
}

/** Why the password in `file` may not be the one that was meant, as a sentence; `undefined`: nothing is strange. */
export function doubtAbout(netrc: string, host: string, file: string): string | undefined {
  const own = entriesIn(netrc).filter((entry) => entry.host !== undefined && isSame(entry.host, host));
  const isEmpty = passwordIn(netrc, host) === "";
  if (new Set(own.map(({ password }) => password)).size > 1) {
    return `${file} has ${own.length} lines for ${host}; the first counts${isEmpty ? ", and has no password" : ""}`;
  }
  return isEmpty ? `the line for ${host} in ${file} has no password` : undefined;
}

function isSame(host: string, other: string): boolean {
  return host.toLowerCase() === other.toLowerCase();
}

/** Those with the word `password`, in order. */
function entriesIn(netrc: string): Entry[] {
  const entries: Entry[] = [];
  const words = wordsOf(netrc);
  let host: string | undefined;
  let isEntry = false;
  for (let index = 0; index < words.length; index++) {
    switch (words[index]?.text) {
      case "machine":
        host = words[++index]?.text ?? "";
        isEntry = true;
        break;
      case "default":
        host = undefined;
        isEntry = true;
        break;
      case "login":
      case "account":
        if (hasValue(words[index + 1])) index += 1;
        break;
      case "password": {
        const value = words[index + 1];
        const password = hasValue(value) ? value.text : "";
        if (isEntry) entries.push({ host, password });
        if (hasValue(value)) index += 1;
        isEntry = false;
        break;
      }
    }
  }
  return entries;
}

interface Word {
  readonly text: string;
  /** A line begins with it. */
  readonly isFirst: boolean;
}

/** The line of a variable that was not set ends with `password`, and the next entry's first word is none. */
function hasValue(next: Word | undefined): next is Word {
  return next !== undefined && !(next.isFirst && ["machine", "default"].includes(next.text));
}

/** Words end at white space, unless they are quoted; comments are whole lines (a password may begin with #), macros go to an empty line. */
function wordsOf(netrc: string): Word[] {
  const text = netrc.replace(/^[ \t]*#.*/gm, "").replace(/^[ \t]*macdef[^\n]*\n(?:[^\n]+\n)*/gm, "");
  return [...text.matchAll(/(\s*)(?:"((?:[^"\\]|\\.)*)"|(\S+))/g)].map(([, space = "", quoted, word]) => ({
    text: quoted === undefined ? (word ?? "") : quoted.replace(/\\(.)/g, "$1"),
    isFirst: space.includes("\n"),
  }));
}
