// Reading netrc as curl does, which Nix uses: the password of a machine.

/** The password for this host, or the one of `default`; `undefined` if there is neither. */
export function passwordIn(netrc: string, host: string): string | undefined {
  const words = wordsOf(netrc);
  let isOurs = false;
  for (let index = 0; index < words.length; index++) {
    switch (words[index]) {
      case "machine":
        isOurs = words[++index]?.toLowerCase() === host.toLowerCase();
        break;
      case "default":
        isOurs = true;
        break;
      case "login":
      case "account":
        index += 1;
        break;
      case "password": {
        const password = words[++index];
        if (isOurs) return password;
        break;
      }
    }
  }
  return undefined;
}

/** Words end at white space, unless they are quoted; comments go to the end of their line, macros to an empty line. */
function wordsOf(netrc: string): string[] {
  const text = netrc.replace(/^[ \t]*macdef[^\n]*\n(?:[^\n]+\n)*/gm, "");
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(#[^\n]*)|(\S+)/g)].flatMap(([, quoted, comment, word]) => {
    if (comment !== undefined) return [];
    return [quoted === undefined ? (word ?? "") : quoted.replace(/\\(.)/g, "$1")];
  });
}
