/** The lines of the page "Use it": what they say runs with a stock Nix. */
import { expect, test } from "vitest";
import { ciLines, pullLines, pushLines } from "../../src/page/lines.ts";
import { cacheWith } from "../support/cache.ts";

const { get } = cacheWith({});

test("each command of Nix switches on what a stock Nix lacks for it", async () => {
  const cache = JSON.parse((await get("/api/v1/cache")).text);
  const texts = [...pullLines(cache), ...pushLines(cache), ...ciLines(cache)].map(({ text }) => text);
  const commands = texts.flatMap((text) => text.split("\n").filter((line) => /^nix /.test(line)));
  expect(commands.length).toBeGreaterThanOrEqual(3);
  for (const command of commands) {
    expect(command).toMatch(/^nix \w+ --extra-experimental-features 'nix-command flakes'/);
  }
});
