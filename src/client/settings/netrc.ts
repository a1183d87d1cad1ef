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

/** Words end at white space, unless they are quoted; comments are whole lines (a password may begin with #), macros go to an empty line. */
function wordsOf(netrc: string): string[] {
  const text = netrc.replace(/^[ \t]*#.*/gm, "").replace(/^[ \t]*macdef[^\n]*\n(?:[^\n]+\n)*/gm, "");
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, word]) =>
    quoted === undefined ? (word ?? "") : quoted.replace(/\\(.)/g, "$1"),
  );
}
