/** Prometheus reads what /metrics writes, its rules fire as they should, and the dashboard asks for what there is. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const MONITORING = join(ROOT, "docs/operating/monitoring");
/** test/cache/metrics.test.ts compares it with what the Worker writes. */
const EXAMPLE = readFileSync(join(ROOT, "test/fixtures/metrics.txt"), "utf8");
const ALERTS = readFileSync(join(MONITORING, "alerts.yml"), "utf8");
const DASHBOARD = JSON.parse(readFileSync(join(MONITORING, "dashboard.json"), "utf8")) as {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
};
const QUERIES = DASHBOARD.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
const STDERR = 2;
const TIMEOUT_MS = 60_000;

const temp = mkdtempSync(join(tmpdir(), "promtool-"));
afterAll(() => rmSync(temp, { recursive: true }));

interface Ran {
  readonly code: number | string;
  readonly output: string;
}

function promtool(args: readonly string[], input = ""): Promise<Ran> {
  return new Promise((done) => {
    const program = execFile("promtool", [...args], { cwd: MONITORING }, (error, out, err) =>
      done({ code: error === null ? 0 : (error.code ?? -1), output: `${out}${err}` }),
    );
    program.stdin?.on("error", () => undefined).end(input);
  });
}

const { code: missing } = await promtool(["--version"]);
const isThere = missing === 0;

test("promtool to test with", (context) => {
  if (isThere) return;
  const message =
    "tests with promtool skipped: it is not on this machine (Debian's package prometheus has it)";
  writeSync(STDERR, `${message}\n`);
  expect(process.env.REQUIRE_PROMTOOL ?? "", `REQUIRE_PROMTOOL is set, but ${message}`).toBe("");
  context.skip(message);
});

test.runIf(isThere)("promtool finds nothing wrong with the metrics", async () => {
  expect(await promtool(["check", "metrics"], EXAMPLE)).toEqual({ code: 0, output: "" });
});

test.runIf(isThere)("promtool would find a name that is wrong", async () => {
  const wrong = EXAMPLE.replaceAll("nix_cache_pins", "nix_cache_pins_total");
  expect(await promtool(["check", "metrics"], wrong)).not.toMatchObject({ code: 0 });
});

test.runIf(isThere)(
  "the alert rules fire where they should, and only there",
  { timeout: TIMEOUT_MS },
  async () => {
    expect(await promtool(["test", "rules", "alerts.test.yml"])).toMatchObject({ code: 0 });
  },
);

test.runIf(isThere)("promtool reads every query of the dashboard", async () => {
  const rules = QUERIES.map((expr, index) => ({ record: `query_${index}`, expr }));
  const file = join(temp, "queries.json");
  // YAML includes JSON.
  writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  expect(await promtool(["check", "rules", file])).toMatchObject({ code: 0 });
});

test.each([
  ["the alert rules", ALERTS],
  ["the dashboard", QUERIES.join("\n")],
])("%s ask for metrics that there are", (_, text) => {
  const asked = new Set(text.match(/\bnix_cache_\w+/g));
  const there = new Set(EXAMPLE.match(/^nix_cache_\w+/gm));
  expect(asked.size).toBeGreaterThan(5);
  expect([...asked].filter((name) => !there.has(name))).toEqual([]);
});

test("every panel of the dashboard has an id and a query of its own", () => {
  const ids = DASHBOARD.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(QUERIES).size).toBe(ids.length);
});

test("every alert is documented", () => {
  const names = [...ALERTS.matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
  const document = readFileSync(join(ROOT, "docs/operating/monitoring.md"), "utf8");
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !document.includes(name))).toEqual([]);
});

test("every metric is documented", () => {
  const document = readFileSync(join(ROOT, "docs/operating/monitoring.md"), "utf8");
  const names = [...new Set(EXAMPLE.match(/^nix_cache_\w+/gm))];
  expect(names.filter((name) => !document.includes(`\`${name.slice("nix_cache_".length)}`))).toEqual([]);
});
