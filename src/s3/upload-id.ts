// The name of an upload that is given to the client: with it every request finds the upload without a lookup.
import { S3Error } from "../http/s3-error.ts";

export interface UploadId {
  /** Ours: it names where the upload is staged, and its row in the catalog. */
  readonly id: string;
  /** The bucket's. */
  readonly r2Id: string;
}

export function formatUploadId({ id, r2Id }: UploadId): string {
  return `${id}.${r2Id}`;
}

/** Throws {@link S3Error} 404 for what cannot be one. */
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
