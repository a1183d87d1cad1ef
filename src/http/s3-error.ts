// A refusal with an S3 error code, by which S3 clients decide how to react.
import { HttpError } from "./errors.ts";

/**
 * Sent as a line of text, like every {@link HttpError}; to an S3 client as a document with the code.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists codes and their statuses.
 */
export class S3Error extends HttpError {
  readonly code: string;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(status, message, headers);
    this.code = code;
  }
}
