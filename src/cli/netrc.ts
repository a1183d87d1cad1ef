// The netrc file with which Nix pushes to a local cache.
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Writes it in `directory`, for its owner only, and returns its path. */
export async function writeNetrc(directory: string, host: string, token: string): Promise<string> {
  const path = join(directory, "netrc");
  // The mode counts for a new file only.
  await writeFile(path, "", { mode: 0o600 });
  await chmod(path, 0o600);
  await writeFile(path, `${netrcLine(host, token)}\n`);
  return path;
}

/** Any login will do: the password is the token. */
export function netrcLine(host: string, token: string): string {
  return `machine ${host} login nix password ${netrcWord(token)}`;
}

/** curl ends a netrc word at white space unless it is quoted. */
function netrcWord(word: string): string {
  return /^[0-9A-Za-z!$%&()*+,\-./:;<=>?@[\]^_{|}~]+$/.test(word)
    ? word
    : `"${word.replace(/["\\]/g, "\\$&")}"`;
}
