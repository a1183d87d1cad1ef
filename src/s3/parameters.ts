// Parses parameters of S3's queries.
import { S3Error } from "../http/s3-error.ts";

/** A whole number; `absent` is the default. Throws {@link S3Error} 400. */
export function numberOf(parameters: URLSearchParams, name: string, absent: number): number {
  const text = parameters.get(name);
  if (text === null || text === "") return absent;
  if (!/^\d{1,9}$/.test(text)) throw new S3Error(400, "InvalidArgument", `${name} must be a whole number`);
  return Number(text);
}
