// `npm run keygen -- NAME`: a signing key without Nix. The secret goes to stdout and may be piped; the rest to stderr.
import { FormatError } from "../nix/format-error.ts";
import { generateSecretKey } from "../nix/keys.ts";

const USAGE = `usage: npm run --silent keygen -- NAME

NAME is what Nix knows the key by: the cache's host name and a number, such as cache.example.org-1.
The secret key is for SIGNING_KEY, the public one for everybody's trusted-public-keys.
`;

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...rest]: string[]): Promise<number> {
  if (name === undefined || name.startsWith("-") || rest.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const key = await generateSecretKey(name);
    process.stdout.write(`${key.secret}\n`);
    process.stderr.write(`public key: ${key.public}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}
