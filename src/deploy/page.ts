// docs/operating/configuration.md, made of the tables: every variable and setting, and one example of each.
import {
  BINDINGS,
  type Entry,
  OIDC_MEANING,
  REQUIRED,
  SECRETS_MEANING,
  SETTINGS_MEANING,
  UPSTREAM_MEANING,
  VARIABLES_MEANING,
} from "../config/reference.ts";
import { KEYS } from "./keys.ts";
import { type Table, tomlOf, tomlValue } from "./table.ts";

/** The examples of the page, each as a whole nix-cache.toml; by the heading of their section. */
export const EXAMPLES = {
  Variables: { vars: examplesOf(VARIABLES_MEANING) },
  "Settings of a cache": { vars: { CACHES: { team: examplesOf(SETTINGS_MEANING) } } },
  "Settings of an upstream": { vars: { UPSTREAMS: [examplesOf(UPSTREAM_MEANING)] } },
  "Settings of a rule for identity tokens": { vars: { OIDC: [examplesOf(OIDC_MEANING)] } },
  "Settings of the deployment": withoutVars(examplesOf(KEYS)),
} satisfies Readonly<Record<string, Table>>;

const HEAD = `<!-- Made by "npm run docs:configuration" from the tables that the program reads. Do not edit. -->

# Configuration

Your own settings are in \`nix-cache.toml\`, which git ignores. A setting that it leaves out stays as in \`wrangler.toml\`, which belongs to the program and changes with it.

\`\`\`sh
cp nix-cache.example.toml nix-cache.toml
npm run config
\`\`\`

\`npm run config\` checks the settings, with the messages of \`/health\`, and shows what a deployment would change; \`npm run config -- --url URL\` compares with what a deployed cache shows of itself. \`npm run deploy\` deploys nothing while there is a mistake. \`npm start\` reads \`[vars]\` of the same file when it starts.

- **An edited \`wrangler.toml\`**: \`npm run config\` prints the lines to move into \`nix-cache.toml\`.
- **A second cache**: \`NIX_CACHE_SETTINGS=other.toml npm run deploy\` reads another file.
- **GitHub's workflow** reads the same text from the variable \`NIX_CACHE_TOML\` of the repository.
- **The Deploy button** makes a repository of your own: \`git add --force nix-cache.toml\` there.

A mistake in a deployed cache is a line on \`/health\` and in the log. Until it is fixed, the cache serves reads and refuses writes, and a cache that may have been meant to be private is private.
`;

const SECRETS_HEAD = `Secrets are never in \`nix-cache.toml\`. On your own machine they are lines of \`.dev.vars\`, such as \`ADMIN_TOKEN=...\`, which \`npm start\` reads when it starts; a deployed Worker gets them by:

<!-- not run: it needs a Cloudflare account -->
\`\`\`sh
npm run wrangler -- secret put PUSH_TOKEN
\`\`\`
`;

const BINDINGS_HEAD = "Not variables: wrangler binds them at deploy.\n";

/** The whole file. */
export function configurationPage(): string {
  const settings = Object.entries({
    Variables: VARIABLES_MEANING,
    "Settings of a cache": SETTINGS_MEANING,
    "Settings of an upstream": UPSTREAM_MEANING,
    "Settings of a rule for identity tokens": OIDC_MEANING,
    "Settings of the deployment": KEYS,
  }).map(([heading, entries]) => section(heading, listOf(entries), exampleOf(heading)));
  const secrets = section("Secrets", SECRETS_HEAD, listOf(SECRETS_MEANING));
  const bindings = Object.entries(BINDINGS).map(([name, meaning]) => `- **\`${name}\`**: ${meaning}\n`);
  return [HEAD, secrets, ...settings, section("Bindings", BINDINGS_HEAD, bindings.join(""))].join("\n");
}

type Example = Pick<Entry, "example" | "isApart">;
type Listed = Partial<Entry> & Pick<Entry, "meaning">;

function listOf(entries: Readonly<Record<string, Listed>>): string {
  return Object.entries(entries)
    .map(([name, entry]) => {
      const example = entry.isApart ? ` *Example:* \`${name} = ${tomlValue(entry.example)}\`.` : "";
      return `- **\`${name}\`**: ${sentencesOf(entry)}${example}\n`;
    })
    .join("");
}

function sentencesOf({ meaning, form, unset, ...entry }: Listed): string {
  const value = "default" in entry ? [`\`${tomlValue(entry.default)}\``] : [];
  const without = [...value, ...(unset === undefined || unset === REQUIRED ? [] : [unset])].join("; ");
  return [
    meaning,
    ...(form === undefined ? [] : [`*Form:* ${form}.`]),
    ...(without === "" ? [] : [`*Default:* ${without}.`]),
    ...(unset === REQUIRED ? ["*Required.*"] : []),
  ].join(" ");
}

function exampleOf(heading: string): string {
  const example = Object.entries(EXAMPLES).find(([name]) => name === heading)?.[1] ?? {};
  return `Each once; copy only the lines that you need:\n\n\`\`\`toml\n${tomlOf(example).join("\n").trim()}\n\`\`\`\n`;
}

function section(heading: string, ...parts: readonly string[]): string {
  return [`## ${heading}\n`, ...parts].join("\n");
}

function examplesOf(entries: Readonly<Record<string, Example>>): Table {
  const together = Object.entries(entries).filter(([, { isApart }]) => !isApart);
  return Object.fromEntries(together.map(([name, { example }]) => [name, example]));
}

function withoutVars({ vars: _, ...others }: Table): Table {
  return others;
}
