// Questions of readers beside pushes: one at a time, with room between them, and no endless queue.
import { expect, it } from "vitest";
import { MAX_WAITING, Questions } from "../../src/catalog/questions.ts";
import { Refused } from "../../src/catalog/refuse.ts";

/** A world with a clock of its own: what has happened, in order. */
function setup(isBusy: boolean) {
  const log: string[] = [];
  const timers: (() => void)[] = [];
  const questions = new Questions(
    () => isBusy,
    (ms) => {
      log.push(`pause ${ms > 0}`);
      return new Promise<void>((resolve) => timers.push(resolve));
    },
  );
  const ask = (name: string) =>
    questions.ask(() => {
      log.push(name);
      return name;
    });
  return { log, ask, questions, pass: () => timers.shift()?.() };
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await null;
}

it("while a push goes on, it has its turn after every question", async () => {
  const { log, ask, pass } = setup(true);
  const answers = Array.from({ length: 8 }, (_, n) => ask(`question ${n}`));
  await quiet();
  // The first has its answer, and a push has room: the others wait.
  expect(await answers[0]).toBe("question 0");
  expect(log).toEqual(["question 0", "pause true"]);
  for (let n = 1; n < 8; n++) {
    pass();
    await quiet();
    expect(log.at(-2)).toBe(`question ${n}`);
  }
  expect(await Promise.all(answers)).toHaveLength(8);
});

it("without a push they follow each other at once, also after one that fails", async () => {
  const { log, ask, questions } = setup(false);
  const failing = questions.ask(() => Promise.reject(new Error("a defect")));
  const next = ask("next");
  await expect(failing).rejects.toThrow("a defect");
  expect(await next).toBe("next");
  expect(log).toEqual(["next"]);
});

it("a flood of them is refused", async () => {
  const { ask } = setup(true);
  const waiting = Array.from({ length: MAX_WAITING }, () => ask("waits"));
  expect(() => ask("one more")).toThrow(Refused);
  expect(await waiting[0]).toBe("waits");
  expect(() => ask("after an answer")).not.toThrow();
});
