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

export interface AnnouncedNar {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex; absent until it is hashed. */
  readonly sha256?: string;
}
