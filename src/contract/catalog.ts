// The interface of a catalog: the calls that the Worker makes and the Durable Object implements.
import type { Deleted, PathDetail, PathPage, PathQuery, PublishOutcome, UpstreamPath } from "./paths.ts";
import type { Pin, PinPage, PinQuery, PinRequest } from "./pins.ts";
import type { Result } from "./result.ts";
import type {
  CheckOptions,
  CheckReport,
  GcOptions,
  GcReport,
  ReindexOptions,
  ReindexReport,
  ResignOptions,
  ResignReport,
} from "./runs.ts";
import type { Stats } from "./stats.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "./tokens.ts";
import type { AnnouncedNar, NewPart, NewUpload, UploadedPart } from "./uploads.ts";

/** One per cache, with the cache's name. Every method is one call of the Durable Object. */
export interface CatalogApi extends Rpc.DurableObjectBranded {
  /**
   * `ask`: refused with unknown-references where upstreams are to be asked for references first; then `upstream` is what
   * they have. Absent: none is to be asked.
   */
  publish(
    narinfo: string,
    pushedBy: string,
    upstream?: "ask" | readonly UpstreamPath[],
  ): Promise<Result<PublishOutcome>>;
  /** A realisation or build trace under its key. */
  publishRealisation(key: string, text: string, pushedBy: string): Promise<Result<PublishOutcome>>;
  announceNar(nar: AnnouncedNar): Promise<Result<void>>;
  touchNar(key: string): Promise<Result<void>>;
  touchPath(hash: string): Promise<Result<void>>;
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
  endUpload(upload: string): Promise<Result<void>>;

  /**
   * The hash parts that are not in the cache; `withoutUpstream` leaves out references that are known to be upstream. The
   * others count as used where `isPusher`, because a pusher relies on them.
   */
  missing(
    hashes: readonly string[],
    isPusher?: boolean,
    withoutUpstream?: boolean,
  ): Promise<Result<string[]>>;
  listPaths(query: PathQuery): Promise<Result<PathPage>>;
  pathDetail(hash: string): Promise<Result<PathDetail>>;
  stats(): Promise<Result<Stats>>;
  deletePath(hash: string, withReferrers: boolean): Promise<Result<Deleted>>;

  putPin(name: string, pin: PinRequest, pinnedBy: string): Promise<Result<Pin>>;
  deletePin(name: string): Promise<Result<void>>;
  getPin(name: string): Promise<Result<Pin>>;
  listPins(query: PinQuery): Promise<Result<PinPage>>;

  /** Only the default cache's catalog keeps tokens, those of all caches. */
  insertToken(token: NewToken): Promise<Result<void>>;
  tokens(query: TokenQuery): Promise<Result<TokenPage>>;
  token(id: string): Promise<Result<TokenReport>>;
  revokeToken(id: string): Promise<Result<TokenReport>>;
  revokedTokens(): Promise<Result<string[]>>;

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
