// The interface of a catalog: the calls that the Worker makes and the Durable Object implements.

import type { Subject } from "../auth/subject.ts";
import type { WriteCondition } from "../http/preconditions.ts";
import type { CatalogMetrics } from "./metrics.ts";
import type {
  Deleted,
  ListedPath,
  ListQuery,
  PathPage,
  PublishOutcome,
  PublishResult,
  SearchQuery,
  UpstreamPath,
} from "./paths.ts";
import type { Pin, PinPage, PinQuery, PinRequest, RevisionQuery } from "./pins.ts";
import type { NarInfoToPublish } from "./publishing.ts";
import type { Result } from "./result.ts";
import type { Credential, RevocationAnswer, RevokedSubject } from "./revocations.ts";
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
} from "./runs.ts";
import type { Stats } from "./stats.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "./tokens.ts";
import type {
  AnnouncedNar,
  ListedUpload,
  NewPart,
  NewUpload,
  RecentNar,
  UploadedPart,
  UploadOutcome,
  UploadQuery,
} from "./uploads.ts";

/** One per cache, with the cache's name. Every method is one call of the Durable Object. */
export interface CatalogApi extends Rpc.DurableObjectBranded {
  /**
   * `ask`: refused with unknown-references where upstreams are to be asked for references first; then `upstream` is what
   * they have. Absent: none is to be asked. `nar` is its NAR, where the Worker has just put it into the bucket.
   */
  publish(
    narinfo: string,
    pushedBy: string,
    upstream?: "ask" | readonly UpstreamPath[],
    nar?: RecentNar,
  ): Promise<Result<PublishOutcome>>;
  /** The same under conditions, and for clients that want to know the ETag. */
  publishIf(
    narinfo: string,
    pushedBy: string,
    condition: WriteCondition,
    upstream?: "ask" | readonly UpstreamPath[],
    nar?: RecentNar,
  ): Promise<Result<PublishResult>>;
  /** Several paths of one request, each with a result. */
  publishAll(
    narinfos: readonly NarInfoToPublish[],
    pushedBy: string,
    upstream: "ask" | readonly UpstreamPath[],
  ): Promise<Result<readonly Result<PublishOutcome>[]>>;
  /** A realisation or build trace under its key. */
  publishRealisation(key: string, text: string, pushedBy: string): Promise<Result<PublishOutcome>>;
  publishRealisationIf(
    key: string,
    text: string,
    pushedBy: string,
    condition: WriteCondition,
  ): Promise<Result<PublishResult>>;
  /** The time of the announcement (milliseconds since the epoch) if the catalog did not know the NAR. */
  announceNar(nar: AnnouncedNar): Promise<Result<number | undefined>>;
  /** The key of the NAR that was lately sent under a name of another program. */
  narNamed(name: string): Promise<Result<string | undefined>>;
  /**
   * A pusher has found a NAR (its upload, in milliseconds since the epoch) or a path, and relies on it. True where it has
   * certainly not been deleted since.
   */
  touchNar(key: string, uploaded?: number): Promise<Result<boolean>>;
  touchPath(hash: string): Promise<Result<boolean>>;
  /** A mirrored path was read: noted at most once a day. */
  touchMirrored(hash: string): Promise<Result<void>>;
  /** A reader was sent to this upstream for a path that is to be copied. */
  mirror(hash: string, upstream: string): Promise<Result<void>>;
  announceCompanion(key: string, owner: string | undefined): Promise<Result<void>>;

  beginUpload(upload: NewUpload): Promise<Result<void>>;
  /** False for an upload that does not exist (any more). */
  recordPart(upload: string, part: NewPart): Promise<Result<boolean>>;
  /** `undefined` for an upload that does not exist (any more). */
  uploadParts(upload: string, narKey: string): Promise<Result<UploadedPart[] | undefined>>;
  /** The outcome is remembered for its client, which may ask again. */
  endUpload(upload: string, outcome: UploadOutcome): Promise<Result<void>>;
  uploadOutcome(upload: string, narKey: string): Promise<Result<UploadOutcome | undefined>>;
  /** Uploads in flight by key and id. */
  listUploads(query: UploadQuery): Promise<Result<ListedUpload[]>>;

  /**
   * The hash parts that are not in the cache; `withoutUpstream` leaves out references that are known to be upstream. The
   * others count as used where `isPusher`, because a pusher relies on them.
   */
  missing(
    hashes: readonly string[],
    isPusher?: boolean,
    withoutUpstream?: boolean,
  ): Promise<Result<string[]>>;
  /** What an operator must know, one line each, without names of paths. */
  notices(): Promise<Result<readonly string[]>>;
  listPaths(query: ListQuery): Promise<Result<PathPage>>;
  searchPaths(query: SearchQuery): Promise<Result<PathPage>>;
  pathDetail(hash: string): Promise<Result<ListedPath>>;
  stats(): Promise<Result<Stats>>;
  /** What a monitor records. It reads no row of a path or a NAR, unless a recount goes on. */
  metrics(): Promise<Result<CatalogMetrics>>;
  /**
   * With `withNars` the NARs go at once, too. Many paths are deleted in steps: then the answer is the report of the run that
   * has begun.
   */
  deletePath(
    hash: string,
    withReferrers: boolean,
    withNars?: boolean,
  ): Promise<Result<Deleted | DeletionReport>>;
  deletionStatus(): Promise<Result<DeletionReport | undefined>>;

  putPin(name: string, pin: PinRequest, pinnedBy: string): Promise<Result<Pin>>;
  deletePin(name: string): Promise<Result<void>>;
  getPin(name: string, query: RevisionQuery): Promise<Result<Pin>>;
  listPins(query: PinQuery): Promise<Result<PinPage>>;

  /** Only the default cache's catalog keeps tokens, those of all caches. */
  insertToken(token: NewToken): Promise<Result<void>>;
  tokens(query: TokenQuery): Promise<Result<TokenPage>>;
  token(id: string): Promise<Result<TokenReport>>;
  revokeToken(id: string): Promise<Result<TokenReport>>;
  /** Whether a token is revoked, and the list for isolates, which check others by it; `known` is the version they have. */
  revokedTokens(credential: Credential, known?: string): Promise<Result<RevocationAnswer>>;
  /** Revokes all tokens of a subject that were issued until now. `issuer` is empty for every issuer. */
  revokeSubject(subject: string, issuer: string): Promise<Result<RevokedSubject>>;
  /** When a token for this identity token is issued, in milliseconds; `undefined` if that one has been revoked. */
  issueTime(subject: Subject): Promise<Result<number | undefined>>;

  /** Rebuilds the catalog from the bucket. Like every run: one step now, the rest by alarms. */
  reindex(options: ReindexOptions): Promise<Result<ReindexReport>>;
  /** The report of the present or last reindex; `undefined` if there was none. The other reports are the same. */
  reindexStatus(): Promise<Result<ReindexReport | undefined>>;
  /** Looks for damage, and on request repairs it where that is safe. */
  check(options: CheckOptions): Promise<Result<CheckReport>>;
  checkStatus(): Promise<Result<CheckReport | undefined>>;
  /** Collects paths that no root keeps alive, or only reports them. */
  gc(options: GcOptions): Promise<Result<GcReport>>;
  gcStatus(): Promise<Result<GcReport | undefined>>;
  /** Signs every path and every realisation with the keys that are configured now. */
  resign(options: ResignOptions): Promise<Result<ResignReport>>;
  resignStatus(): Promise<Result<ResignReport | undefined>>;
}

/** The call of a catalog to the Worker's default entrypoint: only the entrypoint can purge its cache. */
export interface EdgePurger {
  purgeEdge(paths: readonly string[]): Promise<void>;
}
