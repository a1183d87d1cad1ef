/** Operations of a {@link Simulation} in a cache that collects: pushers that ask first, pins, collections. */
import { ownerTypeOf } from "../../src/bucket/companions.ts";
import { KINDS } from "../../src/bucket/kinds.ts";
import { putMetadata } from "../../src/cache/put-metadata.ts";
import { putRealisation } from "../../src/cache/put-realisation.ts";
import { touchNarInfo } from "../../src/cache/touch.ts";
import { COLLECT } from "../../src/catalog/collect/collect.ts";
import { deletePin, putPin } from "../../src/catalog/pins/pins.ts";
import { touchPaths } from "../../src/catalog/publish/last-use.ts";
import { REINDEX } from "../../src/catalog/reindex/reindex.ts";
import { missingPaths } from "../../src/catalog/rows/paths.ts";
import { requestRun } from "../../src/catalog/runs/engine.ts";
import { unwrap } from "../../src/catalog-client.ts";
import type { GcOptions } from "../../src/contract/runs.ts";
import { HttpError } from "../../src/http/errors.ts";
import { operation } from "./clients.ts";
import type { Build } from "./graph.ts";
import type { Ledger } from "./ledger.ts";
import { realisation } from "./objects.ts";
import type { Oracle } from "./oracle.ts";
import { call, contextOf, isFound, remove, runToEnd, sweep, uploadIfAbsent } from "./requests.ts";
import type { Client, Operation, Simulation } from "./simulation.ts";

export interface Collectors {
  /** `nix copy` of a closure, references first: looks for each path, sends what is absent. */
  readonly copy: (closure: readonly Build[], isAlone: boolean) => Operation;
  /** Asks which of these are missing, with the right to push. */
  readonly missing: (builds: readonly Build[]) => Operation;
  readonly pin: (name: string, build: Build) => Operation;
  readonly unpin: (name: string) => Operation;
  readonly companions: (build: Build) => Operation;
  readonly remove: (build: Build, withReferrers: boolean, affected: readonly string[]) => Operation;
  readonly collect: (options: GcOptions) => Operation;
  readonly sweep: () => Operation;
  readonly reindex: () => Operation;
}

export function collectorsOf(world: Simulation, oracle: Oracle, ledger: Ledger): Collectors {
  const now = () => ({ time: world.now, step: world.steps });

  /** As the Worker reads a narinfo for a pusher. */
  async function isHere(client: Client, build: Build): Promise<boolean> {
    const began = now();
    if (!(await isFound(client, build.key, () => client.bucket.head(build.key), touchNarInfo))) return false;
    ledger.told(build.hash, began);
    return true;
  }

  async function copy(client: Client, closure: readonly Build[], isAlone: boolean): Promise<void> {
    for (const build of closure) {
      if (await isHere(client, build)) continue;
      await uploadIfAbsent(client, build, oracle);
      const began = now();
      try {
        const outcome = await unwrap(() => client.catalog.publish(build.text, "tester"));
        if (outcome !== "kept-existing") oracle.acknowledged(build, [], began.step);
      } catch (error) {
        // All references were found or sent a moment ago, and only collections delete.
        const isBroken =
          error instanceof HttpError && /refers to paths that are not in this cache/.test(error.message);
        if (isBroken && isAlone) throw new Error(`a push under way failed: ${error.message}`);
        throw error;
      }
      ledger.told(build.hash, began);
    }
  }

  async function missing(client: Client, builds: readonly Build[]): Promise<void> {
    const began = now();
    const hashes = builds.map(({ hash }) => hash);
    const absent = await call(client, (c) => {
      touchPaths(c, hashes);
      return missingPaths(c, hashes);
    });
    for (const hash of hashes) if (!absent.includes(hash)) ledger.told(hash, began);
  }

  async function pin(client: Client, name: string, { info, hash }: Build): Promise<void> {
    const answered = ledger.pinBegins(name);
    const request = { hash, name: info.storePath.name, keepRevisions: 2 };
    const { revisions } = await call(client, (c) => putPin(c, name, request, "tester"));
    answered(revisions.map(({ store_path }) => store_path.slice(11, 43)));
  }

  async function companions(client: Client, build: Build): Promise<void> {
    const { hash, info, narKey } = build;
    // Debug info comes after its NAR.
    if (!(await isHere(client, build)) || (await client.bucket.head(narKey)) === null) return;
    const { baseName } = info.storePath;
    const id = `sha256:${"0".repeat(32)}${Buffer.from(hash).toString("hex").slice(0, 32)}!out`;
    const objects = {
      [`${hash}.ls`]: "{}",
      [`realisations/${id}.doi`]: realisation(id, baseName),
      [`debuginfo/${Buffer.from(narKey).toString("hex").slice(-40)}.debug`]: `{"archive":"../${narKey}"}`,
    };
    for (const [key, body] of Object.entries(objects)) {
      const kind = KINDS.find(({ pattern }) => pattern.test(key));
      if (kind === undefined) throw new Error(`no kind of object is named ${key}`);
      const request = new Request(`https://cache.example.org/${key}`, { method: "PUT", body });
      const put = kind.upload === "realisation" ? putRealisation(kind) : putMetadata(kind);
      await put(contextOf(client, request, key, () => undefined));
      // What belongs to a NAR may belong to that of another build than the one that is here.
      if (ownerTypeOf(key) !== "nar" || oracle.served.get(hash)?.url === narKey)
        ledger.companions.set(key, hash);
    }
  }

  async function removeAll(
    client: Client,
    { hash }: Build,
    withReferrers: boolean,
    affected: readonly string[],
  ): Promise<void> {
    const ended = [oracle.deletionBegins(affected), ledger.deletionBegins(affected)];
    try {
      await remove(client, hash, withReferrers);
    } finally {
      for (const tell of ended) tell();
    }
  }

  return {
    copy: (closure, isAlone) =>
      operation(`copy ${closure.map(({ hash }) => hash)}`, (client) => copy(client, closure, isAlone)),
    missing: (builds) => operation("missing", (client) => missing(client, builds)),
    pin: (name, build) => operation(`pin ${name} ${build.hash}`, (client) => pin(client, name, build)),
    unpin: (name) =>
      operation(`unpin ${name}`, async (client) => {
        ledger.pinBegins(name);
        await call(client, (c) => deletePin(c, name));
      }),
    companions: (build) => operation(`companions of ${build.hash}`, (client) => companions(client, build)),
    remove: (build, withReferrers, affected) =>
      operation(`delete ${build.hash}`, (client) => removeAll(client, build, withReferrers, affected)),
    collect: (options) =>
      operation(`collect ${JSON.stringify(options)}`, (client) => runToEnd(client, COLLECT, options)),
    sweep: () => operation("sweep", (client) => sweep(client)),
    reindex: () =>
      operation("reindex", async (client) => {
        await call(client, (c) => requestRun(c, REINDEX, { restart: true }));
      }),
  };
}
