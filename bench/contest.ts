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
export type Name = (typeof NAMES)[number];

export interface Contender {
  readonly name: Name;
  readonly url: string;
  /** The process group of its server. */
  readonly group: number;
  /** Its output. */
  readonly output: () => string;
  readonly put: (object: StoredObject) => Promise<void>;
  /** The directory behind it, where it is nginx. */
  readonly root?: string;
}

export interface Contest {
  /** nginx is absent if this machine has none. */
  readonly contenders: readonly Contender[];
  readonly startupMs: Readonly<Record<"worker" | "baseline", number>>;
  readonly signal: AbortSignal;
  readonly stop: () => Promise<void>;
}

export const PUSH_TOKEN = "bench";
/** As a deployed cache has: it signs what is published. */
/** Nothing leaves the machine: there are no upstreams. */
export const VARIABLES = { PUSH_TOKEN, UPSTREAMS: "[]", SIGNING_KEY: newKey("bench-1").secret };

/** Substitutes for this Worker: the yardstick itself, or the yardstick with this Worker's answers. */
export const SUBJECTS = {
  worker: { title: "nix-cache", config: "wrangler.toml" },
  control: { title: "ten lines again", config: "bench/baseline.toml" },
  answers: { title: "ten lines, our answers", config: "bench/answers.toml" },
} as const;
export type Subject = keyof typeof SUBJECTS;

export async function startContest(dir: string, subject: Subject, signal: AbortSignal): Promise<Contest> {
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
      { name: "worker", ...worker, put: (object) => upload(worker.url, object, signal) },
      { name: "baseline", ...baseline, put: (object) => upload(baseline.url, object, signal) },
    ];
    if (nginx !== undefined) {
      const put = async (object: StoredObject) => storeFile(nginx.root, object);
      contenders.push({ name: "nginx", ...nginx, output: () => "", put });
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

async function upload(url: string, object: StoredObject, signal: AbortSignal): Promise<void> {
  const agent = newAgent(1);
  try {
    await ask(agent, url, putQuestion(object), signal);
  } finally {
    agent.destroy();
  }
}
