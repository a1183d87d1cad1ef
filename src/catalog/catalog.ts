// The Catalog: one SQLite Durable Object per cache, the single writer of metadata and the index over the bucket.
// Reads of the protocol never come here. This class only hands over; the operations are functions of their own.
import { DurableObject } from "cloudflare:workers";
import { bucketFolder } from "../bucket/folder.ts";
import { cacheNamed, configOf, undeclared } from "../config/config.ts";
import { edgePaths } from "../config/locate.ts";
import type { CatalogApi, EdgePurger } from "../contract/catalog.ts";
import type { Deleted, PathDetail, PathPage, PathQuery, PublishOutcome } from "../contract/paths.ts";
import type { Pin, PinPage, PinQuery, PinRequest } from "../contract/pins.ts";
import type { Result } from "../contract/result.ts";
import type {
  CheckOptions,
  CheckReport,
  GcOptions,
  GcReport,
  ReindexOptions,
  ReindexReport,
  ResignOptions,
  ResignReport,
  RunKind,
} from "../contract/runs.ts";
import type { Stats } from "../contract/stats.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "../contract/tokens.ts";
import type { AnnouncedNar, NewPart, NewUpload, UploadedPart } from "../contract/uploads.ts";
import type { Env } from "../env.ts";
import { pathDetail } from "./ask/detail.ts";
import { listPaths } from "./ask/search.ts";
import { RecentStats } from "./ask/stats.ts";
import { requireSameFolder } from "./bucket-binding.ts";
import { checkReport } from "./check/check.ts";
import { gcReport } from "./collect/collection.ts";
import type { CatalogContext } from "./context.ts";
import { Locks } from "./locks.ts";
import { deletePin, getPin, listPins, putPin } from "./pins/pins.ts";
import { announceNar, touchNar } from "./publish/announce-nar.ts";
import { announceCompanion, touchPath, touchPaths } from "./publish/last-use.ts";
import { publish } from "./publish/publish.ts";
import { isIndexed } from "./reindex/indexed.ts";
import { reindexReport } from "./reindex/reindex.ts";
import { deletePath } from "./remove/delete.ts";
import { sweepNars } from "./remove/sweep.ts";
import { resignReport } from "./resign/resign.ts";
import { toResult } from "./result.ts";
import { missingPaths } from "./rows/paths.ts";
import { getToken, insertToken, listTokens, revokedIds, revokeToken } from "./rows/tokens.ts";
import {
  beginUpload,
  endUpload,
  MAX_UPLOAD_AGE_MS,
  recordPart,
  sweepUploads,
  uploadParts,
} from "./rows/uploads.ts";
import {
  continueRuns,
  nextStepTime,
  RETRY_MS,
  type RunOptions,
  requestRun,
  requireIndex,
} from "./runs/engine.ts";
import { loadRun } from "./runs/runs.ts";
import { migrate } from "./schema.ts";

export class Catalog extends DurableObject<Env> implements CatalogApi {
  readonly context: CatalogContext;
  readonly #stats = new RecentStats();
  /** When the alarm is due, in milliseconds since the epoch; `null` where none is set. */
  #alarm: number | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage);
    const deployment = configOf(env);
    // The Worker asks for it by the name of the cache.
    const name = ctx.id.name ?? deployment.cacheName;
    const config = cacheNamed(deployment, name) ?? undeclared(deployment, name);
    requireSameFolder(ctx.storage, name, config.folder);
    const edge = (ctx.exports as { default?: unknown }).default as EdgePurger;
    this.context = {
      sql: ctx.storage.sql,
      transaction: (run) => this.#transaction(run),
      bucket: bucketFolder(env.BUCKET, config.folder),
      config,
      now: () => Date.now(),
      wait: (ms) => scheduler.wait(ms),
      purge: (paths) => edge.purgeEdge(edgePaths(config, paths)),
      locks: new Locks(),
      publications: new Map(),
      unsentIntents: new Set(),
      deletions: { count: 0 },
      wakeForSweep: () => this.#wake(this.context.now() + config.graceMs),
    };
    void ctx.blockConcurrencyWhile(() => this.#readAlarm());
  }

  publish(narinfo: string, pushedBy: string): Promise<Result<PublishOutcome>> {
    return toResult(() => publish(this.context, narinfo, pushedBy));
  }

  announceNar(nar: AnnouncedNar): Promise<Result<void>> {
    return toResult(() => announceNar(this.context, nar));
  }

  touchNar(key: string): Promise<Result<void>> {
    return toResult(() => touchNar(this.context, key));
  }

  beginUpload(upload: NewUpload): Promise<Result<void>> {
    return toResult(() => {
      this.#wake(this.context.now() + MAX_UPLOAD_AGE_MS);
      beginUpload(this.context, upload);
    });
  }

  recordPart(upload: string, part: NewPart): Promise<Result<boolean>> {
    return toResult(() => recordPart(this.context, upload, part));
  }

  uploadParts(upload: string, narKey: string): Promise<Result<UploadedPart[] | undefined>> {
    return toResult(() => uploadParts(this.context, upload, narKey));
  }

  endUpload(upload: string): Promise<Result<void>> {
    return toResult(() => endUpload(this.context, upload));
  }

  insertToken(token: NewToken): Promise<Result<void>> {
    return toResult(() => insertToken(this.context, token));
  }

  tokens(query: TokenQuery): Promise<Result<TokenPage>> {
    return toResult(() => listTokens(this.context, query));
  }

  token(id: string): Promise<Result<TokenReport>> {
    return toResult(() => getToken(this.context, id));
  }

  revokeToken(id: string): Promise<Result<TokenReport>> {
    return toResult(() => revokeToken(this.context, id));
  }

  revokedTokens(): Promise<Result<string[]>> {
    return toResult(() => revokedIds(this.context));
  }

  /** Which of these are not here; for a pusher the others stay from here on. */
  missing(hashes: readonly string[], isPusher = false): Promise<Result<string[]>> {
    return toResult(() => {
      if (isPusher) touchPaths(this.context, hashes);
      return missingPaths(this.context, hashes);
    });
  }

  touchPath(hash: string): Promise<Result<void>> {
    return toResult(() => touchPath(this.context, hash));
  }

  announceCompanion(key: string, owner: string | undefined): Promise<Result<void>> {
    return toResult(() => announceCompanion(this.context, key, owner));
  }

  listPaths(query: PathQuery): Promise<Result<PathPage>> {
    return toResult(() => listPaths(this.context, query));
  }

  pathDetail(hash: string): Promise<Result<PathDetail>> {
    return toResult(() => pathDetail(this.context, hash));
  }

  stats(): Promise<Result<Stats>> {
    return toResult(() => this.#stats.get(this.context));
  }

  deletePath(hash: string, withReferrers: boolean): Promise<Result<Deleted>> {
    return toResult(async () => {
      await this.#index();
      return deletePath(this.context, hash, withReferrers);
    });
  }

  /** Rebuilds the catalog from the bucket: one step now, the rest by alarms. */
  reindex(options: ReindexOptions): Promise<Result<ReindexReport>> {
    return toResult(async () => {
      await this.#run("reindex", options);
      return reindexReport(this.context) as ReindexReport;
    });
  }

  /** How the last reindex went or goes; `undefined` where there was none. */
  reindexStatus(): Promise<Result<ReindexReport | undefined>> {
    return toResult(() => reindexReport(this.context));
  }

  /** Looks for damage, and repairs what is safe where asked to: one step now, the rest by alarms. */
  check(options: CheckOptions): Promise<Result<CheckReport>> {
    return toResult(async () => {
      await this.#run("check", options);
      return checkReport(this.context) as CheckReport;
    });
  }

  /** What the last check found or has found so far; `undefined` where there was none. */
  checkStatus(): Promise<Result<CheckReport | undefined>> {
    return toResult(() => checkReport(this.context));
  }

  /** Collects what no root holds, or only says what would go: a few steps now, the rest by alarms. */
  gc(options: GcOptions): Promise<Result<GcReport>> {
    return toResult(async () => {
      await this.#run("gc", options);
      return gcReport(this.context) as GcReport;
    });
  }

  /** What the last collection did, or has done so far; `undefined` where there was none. */
  gcStatus(): Promise<Result<GcReport | undefined>> {
    return toResult(() => gcReport(this.context));
  }

  /** Signs what is here with the keys that are configured now: a few steps now, the rest by alarms. */
  resign(options: ResignOptions): Promise<Result<ResignReport>> {
    return toResult(async () => {
      await this.#run("resign", options);
      return resignReport(this.context) as ResignReport;
    });
  }

  /** What the last resign did, or has done so far; `undefined` where there was none. */
  resignStatus(): Promise<Result<ResignReport | undefined>> {
    return toResult(() => resignReport(this.context));
  }

  putPin(name: string, pin: PinRequest, pinnedBy: string): Promise<Result<Pin>> {
    return toResult(() => putPin(this.context, name, pin, pinnedBy));
  }

  deletePin(name: string): Promise<Result<void>> {
    return toResult(() => deletePin(this.context, name));
  }

  getPin(name: string): Promise<Result<Pin>> {
    return toResult(() => getPin(this.context, name));
  }

  listPins(query: PinQuery): Promise<Result<PinPage>> {
    return toResult(() => listPins(this.context, query));
  }

  async #run(kind: RunKind, options: RunOptions): Promise<void> {
    // Before the step: whatever ends it, the run goes on.
    this.#wake(this.context.now() + RETRY_MS);
    await requestRun(this.context, kind, options);
    const next = nextStepTime(this.context);
    if (next !== undefined) this.#wake(next);
  }

  override async alarm(): Promise<void> {
    // None, because this is it; what others release from here on sets the next.
    await this.#readAlarm();
    // In this order: the sweep tells when it is due for what a run has released.
    await this.#again(() => continueRuns(this.context));
    await this.#again(async () => {
      if (loadRun(this.context, "reindex") === undefined) await requestRun(this.context, "reindex", {});
      // Its end is an alarm, too, and sweeps.
      return isIndexed(this.context) ? (await sweepNars(this.context)).next : nextStepTime(this.context);
    });
    await this.#again(() => sweepUploads(this.context));
  }

  /** Lets alarms go on with the reindex where one invocation does not reach its end. */
  async #index(): Promise<void> {
    try {
      await requireIndex(this.context);
    } finally {
      const next = nextStepTime(this.context);
      if (next !== undefined) this.#wake(next);
    }
  }

  /**
   * Does a piece of work whose result says when it is to be done again. What fails is tried again a minute later:
   * the platform would give the whole alarm up after some tries, and one work's failure would stop the other.
   */
  async #again(work: () => Promise<number | undefined>): Promise<void> {
    let next: number | undefined;
    try {
      next = await work();
    } catch (error) {
      console.error("work of the catalog's alarm failed", error);
      next = this.context.now() + RETRY_MS;
    }
    if (next !== undefined) this.#wake(next);
  }

  /** What is rolled back takes the alarm with it that was set meanwhile. */
  #transaction<T>(run: () => T): T {
    const alarm = this.#alarm;
    try {
      return this.ctx.storage.transactionSync(run);
    } catch (error) {
      this.#alarm = alarm;
      throw error;
    }
  }

  async #readAlarm(): Promise<void> {
    this.#alarm = await this.ctx.storage.getAlarm();
  }

  /**
   * Runs the alarm at `time` (milliseconds since the epoch) or earlier. It is written with the rows that are written
   * in the same turn, so that they never come without it.
   */
  #wake(time: number): void {
    if (this.#alarm !== null && this.#alarm <= time) return;
    this.#alarm = time;
    // Whoever waits for an answer waits for it, too: that is what the object's output gate does.
    void this.ctx.storage.setAlarm(time);
  }
}
