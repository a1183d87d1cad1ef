// Narinfos of about 1 KB: the most frequent requests of clients, and mostly misses.
import type { Contender, Contest, Name } from "../contest.ts";
import { applyLoad, type Question } from "../load.ts";
import { makeNar, makeNarInfos, missingNarInfoKey, textObject } from "../objects.ts";
import { ALL, REQUEST_RATE, type Scenario } from "./scenario.ts";

const NARINFOS = 200;
const NAR_BYTES = 1_000;
const CONNECTIONS = 8;
/** Short ones: the speed of a busy machine changes within seconds. */
const TURNS = 8;

interface Served {
  readonly path: string;
  /** Of the answer: a peer writes a narinfo in its own words. */
  readonly bytes: ReadonlyMap<Name, number>;
}

const served: Served[] = [];

/** Publishes them once in this Worker; the others that do not sign get the narinfos that it has signed. */
export async function publishNarInfos({ contenders, signal }: Contest): Promise<void> {
  if (served.length > 0) return;
  const nar = makeNar(NAR_BYTES);
  const [worker, ...others] = contenders;
  for (const contender of contenders) await contender.put(nar);
  for (const narInfo of makeNarInfos(NARINFOS, nar)) {
    await worker?.put(narInfo);
    const text = await (await fetch(`${worker?.url}/${narInfo.key}`, { signal })).text();
    const bytes = new Map<Name, number>();
    if (worker !== undefined) bytes.set(worker.name, Buffer.byteLength(text));
    for (const other of others) {
      await other.put(other.isSigning === true ? narInfo : textObject(narInfo.key, text));
      const answer = await fetch(`${other.url}/${narInfo.key}`, { signal });
      bytes.set(other.name, (await answer.arrayBuffer()).byteLength);
    }
    served.push({ path: `/${narInfo.key}`, bytes });
  }
}

/** The paths of the narinfos that are there. */
export function publishedPaths(): readonly string[] {
  return served.map(({ path }) => path);
}

let turn = 0;
function next(): Served {
  const each = served[turn++ % served.length];
  if (each === undefined) throw new Error("no narinfos have been published");
  return each;
}

function asking(id: string, title: string, question: (name: Name) => Question): Scenario {
  return {
    id,
    title,
    contenders: ALL,
    turns: TURNS,
    measures: [REQUEST_RATE],
    prepare: publishNarInfos,
    run: ({ url, name }: Contender, { seconds }, signal) =>
      applyLoad(url, () => question(name), { connections: CONNECTIONS, seconds }, signal),
  };
}

export const NARINFO: readonly Scenario[] = [
  asking("narinfo-hit", "narinfo, hit", (name) => {
    const { path, bytes } = next();
    return { method: "GET", path, status: 200, bodyBytes: bytes.get(name) ?? 0 };
  }),
  asking("narinfo-miss", "narinfo, miss", () => ({
    method: "GET",
    path: `/${missingNarInfoKey()}`,
    status: 404,
  })),
  asking("narinfo-head", "narinfo, HEAD", () => ({ method: "HEAD", path: next().path, status: 200 })),
];
