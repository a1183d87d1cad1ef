// A refusal in the words of S3, whose clients act on a code beside the status.
import { HttpError } from "./errors.ts";

/**
 * Like every {@link HttpError} it can be shown as a line of text; an S3 client gets it as a document with the code.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists codes and their statuses.
 */
export class S3Error extends HttpError {
  readonly code: string;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(status, message, headers);
    this.code = code;
  }
}
