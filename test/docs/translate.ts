// The names that the documents use for a user's own cache, keys, paths and folders, replaced by those of a test.
import { ROOT_FOLDERS } from "./sandbox.ts";

export interface Names {
  /** Of the cache that is https://cache.example.org. */
  readonly url: string;
  readonly publicKey: string;
  /** What stands for TOKEN. */
  readonly token: string;
  /** Port of the cache that `npm start` runs. */
  readonly startPort: number;
  /** A path in the user's store. */
  readonly storePath: string;
  /** The sandbox: what is in /etc lies in its etc. */
  readonly dir: string;
}

/** A function that replaces the names in one line of a command. */
export function translator(names: Names): (text: string) => string {
  const { protocol, host, hostname } = new URL(names.url);
  const rules: [RegExp, (...groups: string[]) => string][] = [
    [
      /https:\/\/([^\s/@'"]*@)?cache\.example\.org/,
      (login) => `${protocol}//${(login ?? "").replace(/\bTOKEN\b/, names.token)}${host}`,
    ],
    [/cache\.example\.org-1:PUBLIC/, () => names.publicKey],
    [/\bcache\.example\.org(?!-)/, () => hostname],
    [/\b(localhost|127\.0\.0\.1):8787/, (name) => `${name}:${names.startPort}`],
    [/(?<![$\w{-])TOKEN\b(?!=)/, () => names.token],
    [/\/nix\/store\/\.\.\.[\w.-]*/, () => names.storePath],
    [new RegExp(`(?<![\\w.~}])/(${ROOT_FOLDERS.join("|")})/`), (folder) => `${names.dir}/${folder}/`],
  ];
  const any = new RegExp(rules.map(([{ source }]) => source).join("|"), "g");
  return (text) =>
    text.replace(any, (match) => {
      for (const [pattern, replace] of rules) {
        const found = new RegExp(`^(?:${pattern.source})$`).exec(match);
        if (found !== null) return replace(...found.slice(1).map((group) => group ?? ""));
      }
      return match;
    });
}
