// The upload id of clients. It contains the ids of bucket and catalog, so that no lookup is needed.
import { S3Error } from "../http/s3-error.ts";

export interface UploadId {
  /** Ours: part of the staging key, and the id of the catalog's row. */
  readonly id: string;
  /** The bucket's. */
  readonly r2Id: string;
}

export function formatUploadId({ id, r2Id }: UploadId): string {
  return `${id}.${r2Id}`;
}

/** Throws {@link S3Error} 404 for a malformed id. */
export function parseUploadId(text: string): UploadId {
  const [, id, r2Id] =
    /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([\w+/=.~-]{1,2048})$/.exec(text) ?? [];
  if (id === undefined || r2Id === undefined) throw noSuchUpload();
  return { id, r2Id };
}

export function noSuchUpload(): S3Error {
  return new S3Error(
    404,
    "NoSuchUpload",
    "there is no such upload: it was completed, aborted, or begun more than a week ago; begin a new one",
  );
}
