// A pusher's read whose record fails: the catalog that takes the place of a dead one is asked, too.
import { describe, expect, it } from "vitest";
import { type Touch, touchNar, touchNarInfo } from "../../src/cache/touch.ts";
import { parseConfig } from "../../src/config/config.ts";
import type { Env } from "../../src/env.ts";
import { captureLog } from "../support/log.ts";

captureLog();

/** What comes of a read, and how often the catalog was asked, of which these are the answers. */
async function touched(touch: Touch, ...answers: (boolean | Error)[]) {
  let asked = 0;
  const answer = async () => {
    const next = answers[asked++];
    if (next instanceof Error) throw next;
    return next;
  };
  const context = {
    config: parseConfig({ UPSTREAMS: [], CACHES: { "nix-cache": { retention_days: 1 } } } as unknown as Env),
    catalog: answer,
    isPusher: async () => true,
    path: `${"0".repeat(32)}.narinfo`,
  } as unknown as Parameters<Touch>[0];
  return { isHere: await touch(context, { uploaded: new Date(0) }), asked };
}

const died = new Error("the Durable Object was reset");

describe.each([
  ["narinfo", touchNarInfo],
  ["NAR", touchNar],
] as const)("a pusher's read of a %s", (_, touch) => {
  it.each<[string, (boolean | Error)[], boolean]>([
    ["is recorded", [true], true],
    ["finds that it is being deleted", [false], false],
    ["is recorded by the next catalog", [died, true], true],
    ["hears from the next catalog that the dead one was deleting it", [died, false], false],
    ["goes on without any catalog, and looks again", [died, died], false],
  ])("%s", async (_, answers, isHere) => {
    expect(await touched(touch, ...answers)).toEqual({ isHere, asked: answers.length });
  });
});
