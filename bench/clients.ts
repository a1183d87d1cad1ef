// The actions of many clients: mostly GETs of narinfos, half of them misses, and some pushes.
import { PUSH_TOKEN, putQuestion } from "./contest.ts";
import type { Question } from "./load.ts";
import { makeNar, makeNarInfo, missingNarInfoKey } from "./objects.ts";

/** Sends one request and resolves when it has been answered as expected. */
export type Ask = (kind: string, question: Question) => Promise<void>;

type Deed = (ask: Ask) => Promise<void>;

export interface Clients {
  /** One action of a client. */
  readonly act: Deed;
  readonly push: Deed;
}

/** A path that is there. */
interface Path {
  readonly baseName: string;
  readonly narInfoKey: string;
  readonly narKey: string;
  readonly narBytes: number;
}

/** In a hundred actions. */
const HITS = 46;
const MISSES = 44;
const NARS = 6;
const HEADS = 2;
// The rest are pushes.

const NAR_BYTES = [10_000, 10_000, 50_000, 200_000];
const AUTHORIZATION = { Authorization: `Bearer ${PUSH_TOKEN}` };

export function newClients(): Clients {
  const paths: Path[] = [];
  const push: Deed = async (ask) => {
    const nar = makeNar(anyOf(NAR_BYTES));
    const references = paths.slice(-6).map(({ baseName }) => baseName);
    const narInfo = makeNarInfo(nar, references);
    const isThere = { method: "HEAD", headers: AUTHORIZATION, status: 404 } as const;
    await ask("push: HEAD narinfo", { ...isThere, path: `/${narInfo.key}` });
    await ask("push: HEAD NAR", { ...isThere, path: `/${nar.key}` });
    await ask("push: PUT NAR", putQuestion(nar));
    await ask("push: PUT narinfo", putQuestion(narInfo));
    const baseName = `${narInfo.key.slice(0, 32)}-example-package-1.2.3`;
    paths.push({ baseName, narInfoKey: narInfo.key, narKey: nar.key, narBytes: nar.bytes });
  };
  const act: Deed = async (ask) => {
    const path = anyOf(paths);
    const chance = Math.random() * 100;
    if (chance < HITS) return ask("narinfo, hit", get(path.narInfoKey, 200));
    if (chance < HITS + MISSES) return ask("narinfo, miss", get(missingNarInfoKey(), 404));
    if (chance < HITS + MISSES + NARS) {
      return ask("NAR", { ...get(path.narKey, 200), bodyBytes: path.narBytes });
    }
    if (chance < HITS + MISSES + NARS + HEADS) {
      return ask("narinfo, HEAD", { ...get(path.narInfoKey, 200), method: "HEAD" });
    }
    return push(ask);
  };
  return { act, push };
}

function get(key: string, status: number): Question {
  return { method: "GET", path: `/${key}`, status };
}

function anyOf<T>(list: readonly T[]): T {
  const one = list[Math.floor(Math.random() * list.length)];
  if (one === undefined) throw new Error("nothing has been pushed yet");
  return one;
}
