import { CHECK } from "../../src/catalog/check/check.ts";
import { COLLECT } from "../../src/catalog/collect/collect.ts";
import { REINDEX } from "../../src/catalog/reindex/reindex.ts";
import { RESIGN } from "../../src/catalog/resign/resign.ts";
import { requestRun } from "../../src/catalog/runs/engine.ts";
import { unwrap } from "../../src/catalog-client.ts";
import type { Context } from "../../src/context.ts";
import type { PublishOutcome } from "../../src/contract/paths.ts";
import { HttpError } from "../../src/http/errors.ts";
import { publishOnUpstreams } from "../../src/publish/on-upstreams.ts";
import { publishPaths } from "../../src/publish/paths.ts";
import { affectedBy, type Build, type Graph, signed } from "./graph.ts";
import type { Oracle } from "./oracle.ts";
import { CACHE_NAME, call, finishRuns, remove, runToEnd, sweep, upload, uploadIfAbsent } from "./requests.ts";
import type { Client, Operation, Simulation } from "./simulation.ts";

export interface Clients {
  /** PUT of the NAR. */
  readonly upload: (build: Build) => Operation;
  /** PUT of the narinfo. */
  readonly publish: (build: Build, signers?: readonly number[]) => Operation;
  /** `nix store sign`: GET of the narinfo, PUT of it with one more signature. */
  readonly sign: (hash: string, signer: number) => Operation;
  /** `nix copy` of one path. */
  readonly push: (build: Build) => Operation;
  /** The same of a client that does not ask first: everything is sent. */
  readonly force: (build: Build) => Operation;
  /** `nix copy` up to 2.34: path by path; from 2.35: all NARs first. */
  readonly copy: (builds: readonly Build[], narsFirst: boolean) => Operation;
  /** POST of these, with their listings, perhaps after their NARs. */
  readonly publishAll: (builds: readonly Build[], withNars: boolean) => Operation;
  readonly remove: (build: Build, withReferrers: boolean) => Operation;
  /** Signs all narinfos with the keys that are configured; the signatures of the key `drop` go. */
  readonly resign: (drop: string | undefined) => Operation;
  /** A collection of what the upstream has: these. */
  readonly removeUpstream: (hashes: readonly string[]) => Operation;
  /** All that is under way, by alarms. */
  readonly finishRuns: () => Operation;
  readonly sweep: (graceMs: number) => Operation;
  /** A reindex or a check, from the start of the bucket. */
  readonly run: (kind: "reindex" | "check", repair: boolean) => Operation;
}

export function clientsOf(world: Simulation, oracle: Oracle, graph: Graph): Clients {
  const builds = graph.flat();

  async function publish(client: Client, build: Build, text: string): Promise<PublishOutcome> {
    const began = world.steps;
    const context = workerOf(client);
    const nar = client.recentNars.find(CACHE_NAME, build.narKey);
    const outcome = await publishOnUpstreams(context, (c, upstream) =>
      c.publish(text, context.identity.name, upstream, nar),
    );
    if (outcome !== "kept-existing") acknowledge(build, text, began);
    return outcome;
  }

  function acknowledge(build: Build, text: string, began: number): void {
    // Those of the cache's own keys come and go with its configuration.
    const signatures = [...text.matchAll(/^Sig: (signer-.*)$/gm)].map(([, value = ""]) => value);
    oracle.acknowledged(build, signatures, began);
  }

  async function publishAll(client: Client, sent: readonly Build[], withNars: boolean): Promise<void> {
    if (withNars) for (const build of new Set(sent)) await uploadIfAbsent(client, build, oracle);
    const began = world.steps;
    const paths = sent.map(({ text }) => ({ narinfo: text, listing: "{}" }));
    const answers = await publishPaths(workerOf(client), paths);
    for (const [index, build] of sent.entries()) {
      const { status, message } = answers[index] ?? { status: 500, message: "no answer" };
      if (status >= 300 && !REFUSALS.includes(status)) throw new HttpError(status, message);
      if (status < 300 && !message.includes("another content")) acknowledge(build, build.text, began);
    }
  }

  async function push(client: Client, build: Build): Promise<void> {
    if ((await client.bucket.get(`${build.hash}.narinfo`)) !== null) return;
    await uploadIfAbsent(client, build, oracle);
    await publish(client, build, build.text);
  }

  async function copy(client: Client, closure: readonly Build[], narsFirst: boolean): Promise<void> {
    if (!narsFirst) {
      for (const build of closure) await push(client, build);
      return;
    }
    const absent: Build[] = [];
    for (const build of closure) {
      if ((await client.bucket.get(`${build.hash}.narinfo`)) === null) absent.push(build);
    }
    for (const build of [...absent].reverse()) await uploadIfAbsent(client, build, oracle);
    for (const build of absent) await publish(client, build, build.text);
  }

  async function sign(client: Client, hash: string, signer: number): Promise<void> {
    const object = await client.bucket.get(`${hash}.narinfo`);
    if (object === null) return;
    const text = await object.text();
    const build = builds.find((build) => build.hash === hash && text.includes(`NarHash: ${narHash(build)}`));
    // A client stops at an unreadable narinfo.
    if (build === undefined) return;
    await publish(client, build, signed(text, signer));
  }

  async function removeAll(client: Client, build: Build, withReferrers: boolean): Promise<void> {
    const ended = oracle.deletionBegins(affectedBy(graph, build, withReferrers));
    try {
      await remove(client, build.hash, withReferrers);
    } finally {
      ended();
    }
  }

  return {
    upload: (build) => operation(`upload ${build.narKey}`, (client) => upload(client, build, oracle)),
    publish: (build, signers = []) =>
      operation(`publish ${build.hash} ${build.info.compression}`, async (client) => {
        await publish(client, build, signed(build.text, ...signers));
      }),
    sign: (hash, signer) => operation(`sign ${hash}`, (client) => sign(client, hash, signer)),
    push: (build) => operation(`push ${build.hash}`, (client) => push(client, build)),
    force: (build) =>
      operation(`force ${build.hash}`, async (client) => {
        await upload(client, build, oracle);
        await publish(client, build, build.text);
      }),
    copy: (closure, narsFirst) =>
      operation(`copy ${closure.map(({ hash }) => hash)}`, (client) => copy(client, closure, narsFirst)),
    publishAll: (builds, withNars) =>
      operation(`publish all of ${builds.map(({ hash }) => hash)}`, (client) =>
        publishAll(client, builds, withNars),
      ),
    remove: (build, withReferrers) =>
      operation(`delete ${build.hash}`, (client) => removeAll(client, build, withReferrers)),
    run: (kind, repair) =>
      operation(`${kind}${repair ? " and repair" : ""}`, (client) =>
        call(client, async (c) => {
          if (kind === "check") await requestRun(c, CHECK, { repair, restart: true });
          else await requestRun(c, REINDEX, { restart: true });
        }),
      ),
    resign: (drop) =>
      operation(`resign${drop === undefined ? "" : ` without ${drop}`}`, (client) =>
        runToEnd(client, RESIGN, { restart: true, ...(drop !== undefined && { drop }) }),
      ),
    removeUpstream: (hashes) =>
      operation("remove what the upstream has", async (client) => {
        const ended = oracle.deletionBegins(hashes);
        try {
          await runToEnd(client, COLLECT, { upstreams: true });
        } finally {
          ended();
        }
      }),
    finishRuns: () => operation("finish runs", finishRuns),
    sweep: (graceMs) => operation("sweep", (client) => sweep(client, graceMs)),
  };
}

/** The parts of a handler's context with which it publishes. */
function workerOf({ bucket, catalog, config, upstreams, recentNars }: Client): Context {
  const context: Pick<Context, "bucket" | "catalog" | "config" | "upstreams" | "mayRead" | "recentNars"> = {
    bucket,
    config,
    recentNars,
    catalog: (ask) => unwrap(() => ask(catalog)),
    upstreams,
    mayRead: async () => true,
  };
  return { ...context, identity: { name: "tester" } } as Context;
}

export function operation(label: string, run: (client: Client) => Promise<void>): Operation {
  return { label, run };
}

/** The allowed errors of a client during faults. Any other is a defect. */
const REFUSALS = [404, 409, 503];
/** The bucket's errors for direct readers. */
const BUCKET_ERROR = /internal error|connection lost|Reduce your rate/;

/** The same operation, which may be refused. */
export function tolerant({ label, run }: Operation): Operation {
  return {
    label,
    run: async (client) => {
      try {
        await run(client);
      } catch (error) {
        if (error instanceof HttpError && REFUSALS.includes(error.status)) return;
        if (error instanceof Error && BUCKET_ERROR.test(error.message)) return;
        throw error;
      }
    },
  };
}

function narHash(build: Build): string {
  return /^NarHash: (.*)$/m.exec(build.text)?.[1] ?? "";
}
