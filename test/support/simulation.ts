/**
 * A world in which every history can happen, again and again: one bucket, one catalog whose process may die, clients,
 * a clock. Every bucket operation stops before it happens and before its answer arrives; which of those that wait
 * goes on next, and what befalls it, is decided by numbers. Nothing here is left to chance or real time.
 */
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { Locks } from "../../src/catalog/locks.ts";
import { announceNar, touchNar } from "../../src/catalog/publish/announce-nar.ts";
import { announceCompanion, touchPath } from "../../src/catalog/publish/last-use.ts";
import { publish } from "../../src/catalog/publish/publish.ts";
import { publishAll } from "../../src/catalog/publish/publish-all.ts";
import { publishRealisation } from "../../src/catalog/publish/realisation.ts";
import { toResult } from "../../src/catalog/refuse.ts";
import { keptFigures } from "../../src/catalog/rows/figures.ts";
import { Tally } from "../../src/catalog/tally.ts";
import { type Config, parseConfig } from "../../src/config/config.ts";
import type { UpstreamPath } from "../../src/contract/paths.ts";
import type { NarInfoToPublish } from "../../src/contract/publishing.ts";
import type { Result } from "../../src/contract/result.ts";
import type { AnnouncedNar, RecentNar } from "../../src/contract/uploads.ts";
import type { Env } from "../../src/env.ts";
import type { NarInfo } from "../../src/nix/narinfo.ts";
import { RecentNars } from "../../src/recent-nars.ts";
import type { Upstreams } from "../../src/upstream/upstreams.ts";
import { type Fault, NO_CHOICES, type Schedule } from "./schedule.ts";
import { Process, Scheduler, type Waiting } from "./scheduler.ts";
import { type Snapshot, snapshotOf } from "./snapshot.ts";
import { stoppingBucket } from "./stopping-bucket.ts";

/** An operation that its client has given up happens within this time or never. Milliseconds. */
export const LATEST_MS = 20_000;
/** Real milliseconds without any step, after which operations wait for each other. */
const DEADLOCK_MS = 20_000;
/** More steps than any history of the tests takes: something goes round in circles. */
const MAX_STEPS = 20_000;

export interface WorldOptions {
  readonly sql: SqlStorage;
  readonly transaction: <T>(run: () => T) => T;
  readonly bucket: R2Bucket;
  readonly variables?: Partial<Env>;
  /** The base name of a path that an upstream has, by its hash part; `undefined` where none has it, or answers. */
  readonly upstream?: (hash: string) => string | undefined;
  /** Called when an object has been written or deleted; `undefined` for a deleted one. */
  readonly onChange?: (key: string, object: Snapshot | undefined) => void;
  readonly onPurge?: (paths: readonly string[]) => void;
}

export class Simulation {
  /** Steps so far. */
  steps = 0;
  readonly #options: WorldOptions;
  #config: Config;
  readonly #turns = new Scheduler();
  #catalog = new Process();
  #context: CatalogContext;
  /** What has gone wrong that must not. */
  #failures: unknown[] = [];
  readonly history: string[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#config = configOf(options);
    this.#context = this.#newContext();
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return this.#turns.now;
  }

  /** The living catalog. */
  get context(): CatalogContext {
    return this.#context;
  }

  /** Runs operations, all at once, until every one has ended or died. Throws what they throw, and on a deadlock. */
  async run(operations: readonly Operation[], choices: Schedule = NO_CHOICES): Promise<void> {
    this.#turns.decide(choices);
    const first = this.steps;
    let changes = 0;
    let open = operations.length;
    this.#failures = [];
    for (const operation of operations) {
      const worker = new Process();
      worker.onDeath(() => open--);
      const begin = async () => {
        try {
          await operation.run(this.#client(worker));
        } catch (error) {
          this.#failures.push(error);
        }
        if (worker.isAlive) open--;
        this.history.push(`ended: ${operation.label}`);
      };
      this.#turns.add({ owner: worker, label: `begin ${operation.label}`, go: () => void begin() });
    }
    for (;;) {
      await this.#quiet(() => !this.#turns.isEmpty || open === 0 || this.#failures.length > 0);
      if (this.#failures.length > 0) throw this.#failures[0];
      const next = this.#turns.next();
      if (next === undefined) break;
      const step = this.steps - first;
      const hit = choices.faults.find((at) =>
        at.ofChanges ? next.isChange && at.step === changes : at.step === step,
      );
      if (next.isChange) changes++;
      await this.#step(next, hit?.fault);
      if (this.steps - first > MAX_STEPS) throw new Error("the history does not end");
    }
    if (open > 0) throw new Error(`deadlock: ${open} operations wait for each other`);
  }

  /** Other variables are deployed while nothing is under way: another process of the catalog begins with them. */
  deploy(variables: Partial<Env>): void {
    this.history.push(`deployed: ${Object.keys(variables)}`);
    this.#config = configOf(this.#options, variables);
    this.restart();
  }

  /** The catalog's process dies while nothing is under way, and another one begins. */
  restart(): void {
    this.#kill(this.#catalog, false);
  }

  /** Time passes. What was given up long ago has happened by then. */
  async advance(ms: number): Promise<void> {
    if (ms >= LATEST_MS) for (const { go } of this.#turns.takeAllOf(undefined)) await go(undefined);
    this.#turns.now += ms;
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** What another tool does to the bucket, past the Worker, while nothing is under way. */
  async interfere(key: string, change: (bucket: R2Bucket) => Promise<unknown>): Promise<void> {
    this.history.push(`another tool changes ${key}`);
    await change(this.#options.bucket);
    await this.#observe(key);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /**
   * Lets those parts of the runtime that are no operation of the bucket come to their end. The first import of a module
   * takes seconds on a machine that does much else: only what takes longer counts as a deadlock.
   */
  async #quiet(isEnough: () => boolean): Promise<void> {
    for (let turn = 0; turn < 60; turn++) await null;
    for (const latest = Date.now() + DEADLOCK_MS; !isEnough() && Date.now() < latest; )
      await scheduler.wait(0);
  }

  async #step(next: Waiting, fault: Fault | undefined): Promise<void> {
    this.steps++;
    this.history.push(`${this.steps}: ${next.label}${fault === undefined ? "" : ` !${fault}`}`);
    if (fault === "crash" || fault === "crash-late") {
      this.#turns.add(next);
      this.#kill(this.#catalog, fault === "crash-late");
    } else if (fault === "vanish" && next.owner !== undefined && next.owner !== this.#catalog) {
      this.#turns.add(next);
      this.#kill(next.owner, false);
    } else {
      await next.go(fault);
    }
  }

  #kill(process: Process, isLate: boolean): void {
    for (const { change, label } of this.#turns.takeAllOf(process)) {
      if (isLate && change !== undefined) this.#turns.addLate(label, change);
    }
    if (process === this.#catalog) {
      this.#catalog = new Process();
      this.#context = this.#newContext();
    }
    process.die();
  }

  #newContext(): CatalogContext {
    const process = this.#catalog;
    const tally = new Tally(this.#options.sql);
    const { sql, transaction, onPurge } = this.#options;
    const alive = () => {
      if (!process.isAlive) throw new Error("a dead process touched its storage");
    };
    const context: CatalogContext = {
      sql: {
        exec: (query: string, ...bindings: unknown[]) => {
          alive();
          return sql.exec(query, ...bindings);
        },
      } as SqlStorage,
      transaction: (run) => {
        alive();
        return tally.transaction(() => transaction(run));
      },
      bucket: this.#bucketOf(process),
      config: this.#config,
      upstreams: this.#upstreams(),
      now: () => this.now,
      wait: (ms) => this.#turns.sleep(process, ms),
      purge: async (paths) => {
        onPurge?.(paths);
      },
      locks: new Locks(),
      deletions: { count: 0 },
      resolution: { after: 0 },
      tally,
      migration: { isMoving: false },
      publications: {},
      unsentIntents: new Set(),
      readings: new Map(),
      unfinished: new Map(),
      isBusy: () => false,
      // The histories verify and sweep by themselves.
      wakeForVerification: () => undefined,
      mirrorQueue: {},
      pinCount: {},
      wakeForMirror: () => undefined,
      saveFiguresLater: () => undefined,
      wakeForSweep: () => undefined,
    };
    keptFigures(context);
    return context;
  }

  #upstreams(): Upstreams {
    const [upstream] = this.#config.upstreams;
    return {
      all: this.#config.upstreams,
      find: async (hash) => {
        const baseName = this.#options.upstream?.(hash);
        if (baseName === undefined || upstream === undefined) return "absent";
        return { upstream, info: { storePath: { baseName } } as NarInfo };
      },
    };
  }

  /** What a client's Worker has: its own connection to the bucket, and a stub of whatever catalog lives then. */
  #client(worker: Process): Client {
    const call = <T>(operation: (c: CatalogContext) => Promise<Result<T>>): Promise<Result<T>> =>
      new Promise((resolve, reject) => {
        if (!worker.isAlive) return;
        const process = this.#catalog;
        // A dead Worker hears nothing any more.
        const tell = (answer: () => void) => worker.isAlive && answer();
        process.onDeath(() => tell(() => reject(new Error("the Durable Object was reset"))));
        operation(this.#context).then(
          (result) => tell(() => resolve(result)),
          (error) => tell(() => reject(error)),
        );
      });
    const stub = {
      publish: (text: string, by: string, upstream?: "ask" | readonly UpstreamPath[], nar?: RecentNar) =>
        call((c) => toResult(() => publish(c, text, by, upstream, nar))),
      publishAll: (
        narinfos: readonly NarInfoToPublish[],
        by: string,
        upstream: "ask" | readonly UpstreamPath[],
      ) => call((c) => toResult(() => publishAll(c, narinfos, by, upstream))),
      publishRealisation: (key: string, text: string, by: string) =>
        call((c) => toResult(() => publishRealisation(c, key, text, by))),
      announceNar: (nar: AnnouncedNar) => call((c) => toResult(() => announceNar(c, nar))),
      touchNar: (key: string, uploaded: number) => call((c) => toResult(() => touchNar(c, key, uploaded))),
      touchPath: (hash: string) => call((c) => toResult(() => touchPath(c, hash))),
      announceCompanion: (key: string, owner: string | undefined) =>
        call((c) => toResult(() => announceCompanion(c, key, owner))),
    };
    return {
      bucket: this.#bucketOf(worker),
      catalog: stub as unknown as DurableObjectStub<Catalog>,
      config: this.#config,
      upstreams: this.#upstreams(),
      recentNars: new RecentNars(() => this.now),
      call,
    };
  }

  #bucketOf(owner: Process): R2Bucket {
    return stoppingBucket(this.#options.bucket, owner, this.#turns, (key) => this.#observe(key));
  }

  /** Hide a violation from its caller, which would take it for a failing bucket. */
  async #observe(key: string): Promise<void> {
    const object = await snapshotOf(this.#options.bucket, key);
    try {
      this.#options.onChange?.(key, object);
    } catch (error) {
      this.#failures.push(error);
    }
  }
}

function configOf({ bucket, variables }: WorldOptions, others: Partial<Env> = {}): Config {
  return parseConfig({ BUCKET: bucket, UPSTREAMS: [], ...variables, ...others } as Env);
}

export interface Client {
  readonly bucket: R2Bucket;
  readonly catalog: DurableObjectStub<Catalog>;
  readonly config: Config;
  readonly upstreams: Upstreams;
  readonly recentNars: RecentNars;
  /** Calls the catalog as a Worker does; it rejects when the catalog dies. */
  readonly call: <T>(operation: (c: CatalogContext) => Promise<Result<T>>) => Promise<Result<T>>;
}

/** What a client does. Refusals are its own business; what it throws ends the history. */
export interface Operation {
  readonly label: string;
  readonly run: (client: Client) => Promise<void>;
}
