// The contenders: this Worker, one of ten lines, and nginx, all running at the same time.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { newKey } from "../test/real-nix/keys.ts";
import { ask, newAgent, type Question } from "./load.ts";
import { startNginx, storeFile } from "./nginx.ts";
import type { StoredObject } from "./objects.ts";
import { copyProject } from "./project.ts";
import { type Server, startServer } from "./server.ts";

export const NAMES = ["worker", "baseline", "nginx"] as const;
/** Other caches, which only `npm run bench:peers` starts. */
export const PEERS = ["ncps"] as const;
export type Name = (typeof NAMES)[number] | (typeof PEERS)[number];

export interface Contender {
  readonly name: Name;
  readonly url: string;
  /** The process group of its server. */
  readonly group: number;
  /** Its output. */
  readonly output: () => string;
  readonly put: (object: StoredObject) => Promise<void>;
  /** Of a store that takes its paths from `nix copy`. Absent: its own address. */
  readonly pushTo?: string;
  /** Whether it signs narinfos, as this Worker does. */
  readonly isSigning?: boolean;
  /** The directory with all that it has stored. */
  readonly stored: string;
}

/** Starts a peer whose files are all in `dir`; `undefined` if it is not on this machine. */
export type StartPeer = (
  dir: string,
  signal: AbortSignal,
) => Promise<(Contender & { readonly stop: () => Promise<void> }) | undefined>;

export interface Contest {
  /** nginx is absent if this machine has none. */
  readonly contenders: readonly Contender[];
  readonly startupMs: Readonly<Record<"worker" | "baseline", number>>;
  readonly signal: AbortSignal;
  readonly stop: () => Promise<void>;
}

export const PUSH_TOKEN = "bench";
/** As a deployed cache has, it signs what is published. Nothing leaves the machine: there are no upstreams. */
export const VARIABLES = { PUSH_TOKEN, UPSTREAMS: "[]", SIGNING_KEY: newKey("bench-1").secret };

/** Substitutes for this Worker: the yardstick itself, or the yardstick with this Worker's answers. */
export const SUBJECTS = {
  worker: { title: "nix-cache", config: "wrangler.toml" },
  control: { title: "ten lines again", config: "bench/baseline.toml" },
  answers: { title: "ten lines, our answers", config: "bench/answers.toml" },
} as const;
export type Subject = keyof typeof SUBJECTS;

export async function startContest(
  dir: string,
  subject: Subject,
  signal: AbortSignal,
  peers: Partial<Record<(typeof PEERS)[number], StartPeer>> = {},
): Promise<Contest> {
  const project = await copyProject(dir);
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    await Promise.all(stops.map((each) => each()));
  };
  const directory = async (name: Name) => {
    await mkdir(join(dir, name));
    return join(dir, name);
  };
  const start = async (name: Name, config: string): Promise<Server> => {
    const server = await startServer(config, await directory(name), signal, VARIABLES);
    stops.push(server.stop);
    return server;
  };
  try {
    const worker = await start("worker", join(project, SUBJECTS[subject].config));
    const baseline = await start("baseline", join(project, SUBJECTS.control.config));
    const nginx = await startNginx(await directory("nginx"));
    if (nginx !== undefined) stops.push(nginx.stop);
    const contenders: Contender[] = [
      {
        ...{ name: "worker", ...worker, stored: join(dir, "worker/state") },
        put: (object) => upload(worker.url, putQuestion(object), signal),
      },
      {
        ...{ name: "baseline", ...baseline, stored: join(dir, "baseline/state") },
        put: (object) => upload(baseline.url, putQuestion(object), signal),
      },
    ];
    if (nginx !== undefined) {
      const put = async (object: StoredObject) => storeFile(nginx.root, object);
      // It takes nothing itself: Nix writes the same files.
      const files = { stored: nginx.root, pushTo: `file://${nginx.root}` };
      contenders.push({ name: "nginx", ...nginx, ...files, output: () => "", put });
    }
    for (const name of PEERS) {
      const peer = await peers[name]?.(await directory(name), signal);
      if (peer === undefined) continue;
      stops.push(peer.stop);
      contenders.push(peer);
    }
    const startupMs = { worker: worker.startupMs, baseline: baseline.startupMs };
    return { contenders, startupMs, signal, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The same for both Workers, though the ten lines look only at the hash. */
export function putQuestion({ key, body, sha256 }: StoredObject): Question {
  const headers = { Authorization: `Bearer ${PUSH_TOKEN}`, "X-Sha256": sha256 };
  return { method: "PUT", path: `/${key}`, headers, body, status: 201 };
}

export async function upload(url: string, question: Question, signal: AbortSignal): Promise<void> {
  const agent = newAgent(1);
  try {
    await ask(agent, url, question, signal);
  } finally {
    agent.destroy();
  }
}
