/** docs/operating/configuration.md: its examples and defaults are what the parser reads. */
import { describe, expect, test } from "vitest";
import { type Entry, SETTINGS_MEANING, VARIABLES_MEANING } from "../../src/config/reference.ts";
import { VARIABLES } from "../../src/config/variables.ts";
import { KEYS } from "../../src/deploy/keys.ts";
import { configurationPage, EXAMPLES } from "../../src/deploy/page.ts";
import { settingsProblems } from "../../src/deploy/settings.ts";
import { isTable, type Table } from "../../src/deploy/table.ts";
import { parsedConfig, variableProblems } from "../../src/deploy/variables.ts";

const BUCKETS = { r2_buckets: [{ binding: "BUCKET" }] };

/** What a configuration comes to, without what is computed when it is asked for. */
async function parsed(vars: Table): Promise<string> {
  const config = await parsedConfig({ ...BUCKETS, vars });
  expect(await variableProblems(config)).toEqual([]);
  return JSON.stringify({ ...config, named: [...config.named] });
}

test.each(Object.entries(EXAMPLES))("the example of %s has no mistake", async (_, example: Table) => {
  expect(settingsProblems(example, {})).toEqual([]);
  await parsed(isTable(example.vars) ? example.vars : {});
});

describe("a default means the same as nothing:", () => {
  const defaultsOf = (entries: Readonly<Record<string, Entry>>) =>
    Object.entries(entries).flatMap(([name, entry]) =>
      "default" in entry ? [[name, entry.default] as const] : [],
    );

  test.each(defaultsOf(VARIABLES_MEANING))("%s", async (name, value) => {
    expect(await parsed({ [name]: value })).toBe(await parsed({}));
  });

  test.each(defaultsOf(SETTINGS_MEANING))("%s", async (name, value) => {
    expect(await parsed({ CACHES: { team: { [name]: value } } })).toBe(
      await parsed({ CACHES: { team: {} } }),
    );
  });
});

test("an example is no default", async () => {
  const none = await parsed({});
  for (const [name, { example }] of Object.entries(VARIABLES_MEANING)) {
    // Keys are imported when they are asked for.
    if (name !== "TRUSTED_PUBLIC_KEYS") expect(await parsed({ [name]: example }), name).not.toBe(none);
  }
});

test("the page names every variable and key", () => {
  const page = configurationPage();
  for (const name of [...Object.keys(VARIABLES), ...Object.keys(KEYS)])
    expect(page).toContain(`**\`${name}\`**`);
});
