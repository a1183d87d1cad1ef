// NARs on their way into the bucket.
export interface NewUpload {
  /** A UUID that names the upload. */
  readonly id: string;
  /** The bucket's id of it. */
  readonly r2Id: string;
  readonly narKey: string;
  readonly pushedBy: string;
}

export interface NewPart {
  readonly number: number;
  /** R2's, without quotes. */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

export interface UploadedPart extends NewPart {
  /** Milliseconds since the epoch. */
  readonly uploaded: number;
}

/** What the client was told when an upload ended: the ETag of the object, or why there is none. */
export type UploadOutcome =
  | { readonly etag: string }
  /** The code is S3's. */
  | { readonly status: number; readonly code: string; readonly message: string };

export interface UploadQuery {
  readonly prefix: string;
  /** The page begins after this key. */
  readonly afterKey: string;
  /** And, of the uploads of this key, after this one, if it is given. */
  readonly afterId?: string;
  readonly limit: number;
}

export interface ListedUpload extends Pick<NewUpload, "id" | "r2Id"> {
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly started: number;
}

/** First bytes of a NAR's file with which it can be published: a file that is not longer is unpacked at once. */
export const FIRST_BYTES = 1024;

/** A NAR that the Worker has just put into the bucket, which has checked its hash. */
export interface RecentNar {
  readonly key: string;
  /** The time of its announcement, which was the first, in milliseconds since the epoch. */
  readonly announced: number;
  /** R2's, without quotes. */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Its first {@link FIRST_BYTES}. */
  readonly first: Uint8Array;
}

export interface AnnouncedNar {
  readonly key: string;
  /** The name of another program, under which it is sent; its narinfo will say it, too. */
  readonly name?: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex; absent until it is hashed. */
  readonly sha256?: string;
}
