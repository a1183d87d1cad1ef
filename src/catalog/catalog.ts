// The Catalog: one SQLite Durable Object per cache, the single writer of metadata and the index over the bucket.
// Reads of the protocol never call it. This class only delegates to functions.
import { DurableObject } from "cloudflare:workers";
import type { Subject } from "../auth/subject.ts";
import { bucketFolder } from "../bucket/folder.ts";
import { cacheNamed, configOf, undeclared } from "../config/config.ts";
import { edgePaths } from "../config/locate.ts";
import type { CatalogApi, EdgePurger } from "../contract/catalog.ts";
import type { CatalogMetrics } from "../contract/metrics.ts";
import type {
  Deleted,
  ListedPath,
  ListQuery,
  PathPage,
  PublishOutcome,
  PublishResult,
  SearchQuery,
  UpstreamPath,
} from "../contract/paths.ts";
import type { Pin, PinPage, PinQuery, PinRequest, RevisionQuery } from "../contract/pins.ts";
import type { NarInfoToPublish } from "../contract/publishing.ts";
import type { Result } from "../contract/result.ts";
import type { Credential, RevocationAnswer, RevokedSubject } from "../contract/revocations.ts";
import type {
  CheckOptions,
  CheckReport,
  DeletionReport,
  GcOptions,
  GcReport,
  ReindexOptions,
  ReindexReport,
  ResignOptions,
  ResignReport,
} from "../contract/runs.ts";
import type { Stats } from "../contract/stats.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "../contract/tokens.ts";
import type {
  AnnouncedNar,
  ListedUpload,
  NewPart,
  NewUpload,
  RecentNar,
  UploadedPart,
  UploadOutcome,
  UploadQuery,
} from "../contract/uploads.ts";
import type { Env } from "../env.ts";
import type { WriteCondition } from "../http/preconditions.ts";
import { upstreamsOf } from "../upstream/upstreams.ts";
import { Activity } from "./activity.ts";
import { Alarm } from "./alarm.ts";
import { countInRequest, keepFigures, SAVE_DELAY_MS, saveChanges } from "./ask/count.ts";
import { pathDetail } from "./ask/detail.ts";
import { listPaths } from "./ask/list.ts";
import { searchPaths } from "./ask/search.ts";
import { statsOf } from "./ask/stats.ts";
import { requireSameFolder } from "./bucket-binding.ts";
import { CHECK } from "./check/check.ts";
import { COLLECT } from "./collect/collect.ts";
import type { CatalogContext } from "./context.ts";
import { DELETION, deleteOrBegin } from "./deletion/deletion.ts";
import { metricsOf } from "./health/metrics.ts";
import { RecentNotices } from "./health/notices.ts";
import { Locks } from "./locks.ts";
import { MIGRATE, refuseWhileMoving, requireMigrated, resumeMigration } from "./migrate/migrate.ts";
import { mirrorNext, requestMirror } from "./mirror/mirror.ts";
import { deletePin, getPin, listPins, putPin } from "./pins/pins.ts";
import { announceNar, touchNar } from "./publish/announce-nar.ts";
import { announceCompanion, touchMirrored, touchPath, touchPaths } from "./publish/last-use.ts";
import { publish, publishIf } from "./publish/publish.ts";
import { publishAll } from "./publish/publish-all.ts";
import { publishRealisation, publishRealisationIf } from "./publish/realisation.ts";
import { Questions } from "./questions.ts";
import { toResult } from "./refuse.ts";
import { isIndexed, requestFirstReindex, requireIndex } from "./reindex/indexed.ts";
import { REINDEX } from "./reindex/reindex.ts";
import { sweepNars } from "./remove/sweep.ts";
import { MAX_UPLOAD_AGE_MS, sweepUploads } from "./remove/uploads.ts";
import { RESIGN } from "./resign/resign.ts";
import { keptFigures } from "./rows/figures.ts";
import { narNamed } from "./rows/nar-names.ts";
import { missingPaths, missingReferences } from "./rows/paths.ts";
import { reloadPublications, settlePublications } from "./rows/publications.ts";
import { nextGraceStart } from "./rows/released.ts";
import { isRevoked, RevocationMemory, revokeSubject } from "./rows/revocations.ts";
import { issueTime } from "./rows/revoked-subjects.ts";
import { getToken, insertToken, listTokens, revokeToken } from "./rows/tokens.ts";
import {
  beginUpload,
  endUpload,
  listUploads,
  recordPart,
  uploadOutcome,
  uploadParts,
} from "./rows/uploads.ts";
import type { RunDefinition } from "./runs/definition.ts";
import { continueRuns, nextStepTime, RETRY_MS, requestRun } from "./runs/engine.ts";
import { migrate } from "./schema.ts";
import { Tally } from "./tally.ts";
import { VERIFY_DELAY_MS, verifyQueued } from "./verify/queue.ts";

/**
 * The kinds of runs, the most urgent first. Before a reindex has ended, most findings of a check would be differences
 * that it is about to fix.
 */
export const RUNS: readonly RunDefinition[] = [MIGRATE, REINDEX, DELETION, COLLECT, RESIGN, CHECK];

/** Milliseconds until an alarm for which figures can wait: less than the object stays in memory without requests. */
const SOON_MS = 20_000;

/** Milliseconds until an alarm deletes NARs that are to go at once: the request that asked for it is done by then. */
const SWEEP_DELAY_MS = 60_000;

export class Catalog extends DurableObject<Env> implements CatalogApi {
  readonly context: CatalogContext;
  readonly #revocations = new RevocationMemory();
  readonly #notices = new RecentNotices();
  readonly #alarm: Alarm;
  readonly #activity = new Activity(() => Date.now());
  readonly #questions = new Questions(
    () => this.#activity.isBusy(),
    (ms) => scheduler.wait(ms),
  );

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage);
    const deployment = configOf(env);
    // The object has the name of the cache.
    const name = ctx.id.name ?? deployment.cacheName;
    const config = cacheNamed(deployment, name) ?? undeclared(deployment, name);
    requireSameFolder(ctx.storage, name, config.folder);
    const edge = (ctx.exports as { default?: unknown }).default as EdgePurger;
    this.#alarm = new Alarm(ctx.storage, () => this.context.now());
    const tally = new Tally(ctx.storage.sql);
    this.context = {
      sql: ctx.storage.sql,
      transaction: (run) => tally.transaction(() => this.#alarm.transaction(run)),
      bucket: bucketFolder(env.BUCKET, config.folder),
      config,
      upstreams: upstreamsOf(env, config, (work) => ctx.waitUntil(work)),
      now: () => Date.now(),
      wait: (ms) => scheduler.wait(ms),
      purge: (paths) => edge.purgeEdge(edgePaths(config, paths)),
      locks: new Locks(),
      publications: {},
      unsentIntents: new Set(),
      deletions: { count: 0 },
      resolution: { after: 0 },
      migration: { isMoving: false },
      tally,
      readings: new Map(),
      unfinished: new Map(),
      isBusy: () => this.#activity.isBusy(),
      wakeForVerification: () => this.#alarm.wake(this.context.now() + VERIFY_DELAY_MS),
      mirrorQueue: {},
      pinCount: {},
      wakeForMirror: () => this.#alarm.wake(this.context.now()),
      saveFiguresLater: () =>
        void this.#saveFigures().catch((error) => console.error("the figures could not be saved", error)),
      wakeForSweep: (when) =>
        this.#alarm.wake(this.context.now() + (when === "soon" ? SWEEP_DELAY_MS : config.graceMs)),
    };
    const isMigrating = resumeMigration(this.context);
    // Before the first change: whether there are rows tells whether any are uncounted.
    keptFigures(this.context);
    void ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.read();
      if (isMigrating) this.#alarm.wake(this.context.now());
    });
  }

  publish(
    narinfo: string,
    pushedBy: string,
    upstream?: "ask" | readonly UpstreamPath[],
    nar?: RecentNar,
  ): Promise<Result<PublishOutcome>> {
    return this.#push(() => publish(this.context, narinfo, pushedBy, upstream, nar));
  }

  publishIf(
    narinfo: string,
    pushedBy: string,
    condition: WriteCondition,
    upstream?: "ask" | readonly UpstreamPath[],
    nar?: RecentNar,
  ): Promise<Result<PublishResult>> {
    return this.#push(() => publishIf(this.context, narinfo, pushedBy, condition, upstream, nar));
  }

  publishAll(
    narinfos: readonly NarInfoToPublish[],
    pushedBy: string,
    upstream: "ask" | readonly UpstreamPath[],
  ): Promise<Result<readonly Result<PublishOutcome>[]>> {
    return this.#push(() => publishAll(this.context, narinfos, pushedBy, upstream));
  }

  publishRealisation(key: string, text: string, pushedBy: string): Promise<Result<PublishOutcome>> {
    return toResult(() => publishRealisation(this.context, key, text, pushedBy));
  }

  publishRealisationIf(
    key: string,
    text: string,
    pushedBy: string,
    condition: WriteCondition,
  ): Promise<Result<PublishResult>> {
    return toResult(() => publishRealisationIf(this.context, key, text, pushedBy, condition));
  }

  announceNar(nar: AnnouncedNar): Promise<Result<number | undefined>> {
    return this.#push(() => announceNar(this.context, nar));
  }

  narNamed(name: string): Promise<Result<string | undefined>> {
    return toResult(() => narNamed(this.context, name));
  }

  touchNar(key: string, uploaded?: number): Promise<Result<boolean>> {
    return this.#push(() => touchNar(this.context, key, uploaded));
  }

  beginUpload(upload: NewUpload): Promise<Result<void>> {
    return this.#push(() => {
      this.#alarm.wake(this.context.now() + MAX_UPLOAD_AGE_MS);
      beginUpload(this.context, upload);
    });
  }

  recordPart(upload: string, part: NewPart): Promise<Result<boolean>> {
    return this.#push(() => recordPart(this.context, upload, part));
  }

  uploadParts(upload: string, narKey: string): Promise<Result<UploadedPart[] | undefined>> {
    return this.#push(() => uploadParts(this.context, upload, narKey));
  }

  endUpload(upload: string, outcome: UploadOutcome): Promise<Result<void>> {
    return this.#push(() => endUpload(this.context, upload, outcome));
  }

  uploadOutcome(upload: string, narKey: string): Promise<Result<UploadOutcome | undefined>> {
    return toResult(() => uploadOutcome(this.context, upload, narKey));
  }

  listUploads(query: UploadQuery): Promise<Result<ListedUpload[]>> {
    return toResult(() => listUploads(this.context, query));
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
    return this.#revoke(() => revokeToken(this.context, id));
  }

  revokedTokens(credential: Credential, known?: string): Promise<Result<RevocationAnswer>> {
    return toResult(() => {
      const list = this.#revocations.get(this.context);
      return { isRevoked: isRevoked(this.context, credential), ...(list.version !== known && { list }) };
    });
  }

  revokeSubject(subject: string, issuer: string): Promise<Result<RevokedSubject>> {
    return this.#revoke(() => revokeSubject(this.context, subject, issuer));
  }

  issueTime(subject: Subject): Promise<Result<number | undefined>> {
    return toResult(() => issueTime(this.context, subject));
  }

  missing(hashes: readonly string[], isPusher = false, withoutUpstream = false): Promise<Result<string[]>> {
    return this.#push(() => {
      if (isPusher) touchPaths(this.context, hashes);
      const missing = withoutUpstream ? missingReferences : missingPaths;
      return missing(this.context, hashes);
    });
  }

  touchPath(hash: string): Promise<Result<boolean>> {
    return this.#push(() => touchPath(this.context, hash));
  }

  touchMirrored(hash: string): Promise<Result<void>> {
    return toResult(() => touchMirrored(this.context, hash));
  }

  mirror(hash: string, upstream: string): Promise<Result<void>> {
    return toResult(() => requestMirror(this.context, hash, upstream));
  }

  announceCompanion(key: string, owner: string | undefined): Promise<Result<void>> {
    return this.#push(() => announceCompanion(this.context, key, owner));
  }

  listPaths(query: ListQuery): Promise<Result<PathPage>> {
    return this.#askAll(() => listPaths(this.context, query));
  }

  searchPaths(query: SearchQuery): Promise<Result<PathPage>> {
    return this.#askAll(() => searchPaths(this.context, query));
  }

  pathDetail(hash: string): Promise<Result<ListedPath>> {
    return this.#askAll(() => {
      settlePublications(this.context, hash);
      return pathDetail(this.context, hash);
    });
  }

  stats(): Promise<Result<Stats>> {
    return this.#askAll(() => {
      this.#count();
      return statsOf(this.context);
    });
  }

  metrics(): Promise<Result<CatalogMetrics>> {
    return this.#askAll(() => {
      this.#count();
      return metricsOf(this.context);
    });
  }

  notices(): Promise<Result<readonly string[]>> {
    return toResult(() => this.#notices.get(this.context));
  }

  deletePath(
    hash: string,
    withReferrers: boolean,
    withNars = false,
  ): Promise<Result<Deleted | DeletionReport>> {
    return toResult(async () => {
      await this.#moveAll();
      await this.#index();
      try {
        return await deleteOrBegin(this.context, hash, withReferrers, withNars);
      } finally {
        this.#wakeForRuns();
      }
    });
  }

  deletionStatus(): Promise<Result<DeletionReport | undefined>> {
    return this.#status(DELETION);
  }

  reindex(options: ReindexOptions): Promise<Result<ReindexReport>> {
    return this.#run(REINDEX, options);
  }

  reindexStatus(): Promise<Result<ReindexReport | undefined>> {
    return this.#status(REINDEX);
  }

  check(options: CheckOptions): Promise<Result<CheckReport>> {
    return this.#run(CHECK, options);
  }

  checkStatus(): Promise<Result<CheckReport | undefined>> {
    return this.#status(CHECK);
  }

  gc(options: GcOptions): Promise<Result<GcReport>> {
    return this.#run(COLLECT, options);
  }

  gcStatus(): Promise<Result<GcReport | undefined>> {
    return this.#status(COLLECT);
  }

  resign(options: ResignOptions): Promise<Result<ResignReport>> {
    return this.#run(RESIGN, options);
  }

  resignStatus(): Promise<Result<ResignReport | undefined>> {
    return this.#status(RESIGN);
  }

  putPin(name: string, pin: PinRequest, pinnedBy: string): Promise<Result<Pin>> {
    return toResult(() => putPin(this.context, name, pin, pinnedBy));
  }

  deletePin(name: string): Promise<Result<void>> {
    return toResult(() => deletePin(this.context, name));
  }

  getPin(name: string, query: RevisionQuery): Promise<Result<Pin>> {
    return toResult(() => getPin(this.context, name, query));
  }

  listPins(query: PinQuery): Promise<Result<PinPage>> {
    return toResult(() => listPins(this.context, query));
  }

  /** Calls of a push: work that can wait leaves them room. */
  #push<T>(run: () => Promise<T> | T): Promise<Result<T>> {
    this.#activity.note();
    return toResult(run);
  }

  #revoke<T>(run: () => T): Promise<Result<T>> {
    return toResult(() => {
      this.#revocations.forget();
      return run();
    });
  }

  #run<O, R>(definition: RunDefinition<O, R>, options: O): Promise<Result<R>> {
    return toResult(async () => {
      await this.#moveAll();
      // Set before the first step, so that the run continues even if the object crashes in it.
      this.#alarm.wake(this.context.now() + RETRY_MS);
      const report = await requestRun(this.context, definition, options);
      this.#wakeForRuns();
      return report;
    });
  }

  #status<R>(definition: RunDefinition<never, R>): Promise<Result<R | undefined>> {
    return toResult(() => definition.status(this.context));
  }

  override async alarm(): Promise<void> {
    // None is set now; releasing a NAR from here on sets the next.
    await this.#alarm.read();
    await this.#alarm.repeat(async () => {
      reloadPublications(this.context);
      settlePublications(this.context);
      return undefined;
    });
    // Runs before the sweep, so that it includes the NARs that they have released.
    await this.#alarm.repeat(() => continueRuns(this.context, RUNS));
    // The rest needs all rows. The alarm in which these have moved goes on with it.
    if (this.context.migration.isMoving) return;
    await this.#alarm.repeat(() => this.#sweep());
    await this.#alarm.repeat(() => sweepUploads(this.context));
    // Late, because they take longest.
    await this.#alarm.repeat(() => verifyQueued(this.context));
    await this.#alarm.repeat(() => mirrorNext(this.context));
    // With what all of it has changed.
    await this.#alarm.repeat(() => keepFigures(this.context));
  }

  /** Sweeps when a NAR is due, which takes a catalog that knows its bucket. Returns when to sweep next. */
  async #sweep(): Promise<number | undefined> {
    const { now, config } = this.context;
    const start = nextGraceStart(this.context, now() - config.graceMs);
    if (start === undefined || start + config.graceMs > now()) return start && start + config.graceMs;
    await requestFirstReindex(this.context);
    // The alarm in which the reindex ends sweeps.
    return isIndexed(this.context) ? (await sweepNars(this.context)).next : nextStepTime(this.context, RUNS);
  }

  /** What reads rows of all paths is refused while only a part of them is there. */
  #askAll<T>(ask: () => T | Promise<T>): Promise<Result<T>> {
    return toResult(() => {
      refuseWhileMoving(this.context);
      return this.#questions.ask(ask);
    });
  }

  /** Makes the figures exact, or as exact as one request may. */
  #count(): void {
    settlePublications(this.context);
    if (!countInRequest(this.context)) this.#alarm.wake(this.context.now());
  }

  /** An alarm that is due soon saves them, too. None is set for it: that would be one row more. */
  async #saveFigures(): Promise<void> {
    do {
      await scheduler.wait(SAVE_DELAY_MS);
      if (this.#alarm.isDueWithin(SOON_MS)) return;
    } while (saveChanges(this.context));
  }

  /** Alarms continue the migration if one invocation does not finish it. */
  async #moveAll(): Promise<void> {
    try {
      await requireMigrated(this.context);
    } finally {
      this.#wakeForRuns();
    }
  }

  /** Alarms continue the reindex if one invocation does not finish it. */
  async #index(): Promise<void> {
    try {
      await requireIndex(this.context);
    } finally {
      this.#wakeForRuns();
    }
  }

  #wakeForRuns(): void {
    const next = nextStepTime(this.context, RUNS);
    if (next !== undefined) this.#alarm.wake(next);
  }
}
