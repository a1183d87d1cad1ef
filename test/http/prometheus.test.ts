/** The text format of Prometheus: promtool reads an example of it in test/cli/promtool.test.ts. */
import { expect, test } from "vitest";
import { exposition } from "../../src/http/prometheus.ts";

test("each sample has the common labels and its own", () => {
  const gauges = [
    { name: "a_bytes", help: "Size.", samples: [{ value: 1.5 }, { labels: { kind: "x" }, value: 1e21 }] },
    { name: "b", help: "Other.", samples: [{ value: 0 }] },
  ];
  expect(exposition(gauges, { cache: "team" })).toBe(
    [
      "# HELP a_bytes Size.",
      "# TYPE a_bytes gauge",
      'a_bytes{cache="team"} 1.5',
      'a_bytes{cache="team",kind="x"} 1e+21',
      "# HELP b Other.",
      "# TYPE b gauge",
      'b{cache="team"} 0',
      "",
    ].join("\n"),
  );
});

test("what has no samples is left out", () => {
  expect(exposition([{ name: "a", help: "None.", samples: [] }], {})).toBe("");
});

test.each([
  ['quo"te', '"quo\\"te"'],
  ["back\\slash", '"back\\\\slash"'],
  ["two\nlines", '"two\\nlines"'],
  ['\\"\n', '"\\\\\\"\\n"'],
  ["}} 1", '"}} 1"'],
])("the label %j stays inside its quotes", (value, text) => {
  const written = exposition(
    [{ name: "a", help: "A\\b\nc", samples: [{ labels: { l: value }, value: 1 }] }],
    {},
  );
  expect(written.split("\n").slice(0, -1)).toEqual([
    "# HELP a A\\\\b\\nc",
    "# TYPE a gauge",
    `a{l=${text}} 1`,
  ]);
});
