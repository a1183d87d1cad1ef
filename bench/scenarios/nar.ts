// NARs, down and up.
import { putQuestion } from "../contest.ts";
import { applyLoad } from "../load.ts";
import { makeNar, type StoredObject } from "../objects.ts";
import { ALL, BYTE_RATE, FIRST_BYTE, type Scenario, WORKERS } from "./scenario.ts";

const MB = 1_000_000;

/** A NAR fills the pipe: more connections at once measure the load generator. */
function download(megabytes: number, connections: number, turns: number): Scenario {
  let nar: StoredObject | undefined;
  return {
    id: `nar-${megabytes}`,
    title: `NAR of ${megabytes} MB`,
    contenders: ALL,
    turns,
    measures: [BYTE_RATE, FIRST_BYTE],
    prepare: async ({ contenders }) => {
      nar = makeNar(megabytes * MB);
      for (const contender of contenders) await contender.put(nar);
    },
    run: async ({ url }, { seconds }, signal) => {
      const path = `/${nar?.key}`;
      const question = { method: "GET", path, status: 200, bodyBytes: megabytes * MB } as const;
      return applyLoad(url, () => question, { connections, seconds }, signal);
    },
  };
}

/** A new NAR each time: an existing one would not be stored again. */
function upload(megabytes: number): Scenario {
  return {
    id: `put-${megabytes}`,
    title: `PUT of a NAR of ${megabytes} MB`,
    contenders: WORKERS,
    turns: 2,
    measures: [BYTE_RATE],
    run: async ({ url }, _, signal) => {
      const question = putQuestion(makeNar(megabytes * MB));
      return applyLoad(url, () => question, { connections: 1, requests: 1 }, signal);
    },
  };
}

export const NARS: readonly Scenario[] = [download(10, 2, 4), download(200, 1, 2), upload(90)];
