// The listing of a NAR that has none in the bucket.
import { listingVisitor } from "../verify/listing.ts";
import { narParser } from "../verify/nar-parser.ts";
import { readFailure } from "./unpacked.ts";

/** `undefined` where it would be too long. Throws HttpError 404 where the NAR is damaged. */
export async function listingOf(pieces: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const listing = listingVisitor(true);
  const parser = narParser([listing]);
  try {
    for await (const piece of pieces) parser.push(piece);
    parser.end();
  } catch (error) {
    throw readFailure(error);
  }
  return listing.finish();
}
