// Narinfos of about 1 KB: the most frequent requests of clients, and mostly misses.
import type { Contest } from "../contest.ts";
import { applyLoad, type Question } from "../load.ts";
import { makeNar, makeNarInfos, missingNarInfoKey, textObject } from "../objects.ts";
import { ALL, REQUEST_RATE, type Scenario } from "./scenario.ts";

const NARINFOS = 200;
const NAR_BYTES = 1_000;
const CONNECTIONS = 8;
/** Short ones: the speed of a busy machine changes within seconds. */
const TURNS = 8;

const served: { readonly path: string; readonly bytes: number }[] = [];

/** Publishes them once in this Worker; the others get the narinfos that it has signed. */
export async function publishNarInfos({ contenders, signal }: Contest): Promise<void> {
  if (served.length > 0) return;
  const nar = makeNar(NAR_BYTES);
  const [worker, ...others] = contenders;
  for (const contender of contenders) await contender.put(nar);
  for (const narInfo of makeNarInfos(NARINFOS, nar)) {
    await worker?.put(narInfo);
    const text = await (await fetch(`${worker?.url}/${narInfo.key}`, { signal })).text();
    for (const other of others) await other.put(textObject(narInfo.key, text));
    served.push({ path: `/${narInfo.key}`, bytes: Buffer.byteLength(text) });
  }
}

/** The paths of the narinfos that are there. */
export function publishedPaths(): readonly string[] {
  return served.map(({ path }) => path);
}

let turn = 0;
function next(): { readonly path: string; readonly bytes: number } {
  const each = served[turn++ % served.length];
  if (each === undefined) throw new Error("no narinfos have been published");
  return each;
}

function asking(id: string, title: string, question: () => Question): Scenario {
  return {
    id,
    title,
    contenders: ALL,
    turns: TURNS,
    measures: [REQUEST_RATE],
    prepare: publishNarInfos,
    run: ({ url }, { seconds }, signal) =>
      applyLoad(url, question, { connections: CONNECTIONS, seconds }, signal),
  };
}

export const NARINFO: readonly Scenario[] = [
  asking("narinfo-hit", "narinfo, hit", () => {
    const { path, bytes } = next();
    return { method: "GET", path, status: 200, bodyBytes: bytes };
  }),
  asking("narinfo-miss", "narinfo, miss", () => ({
    method: "GET",
    path: `/${missingNarInfoKey()}`,
    status: 404,
  })),
  asking("narinfo-head", "narinfo, HEAD", () => ({ method: "HEAD", path: next().path, status: 200 })),
];
