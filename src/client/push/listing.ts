// The listing of a NAR, read from the NAR while it passes.
import { listingVisitor } from "../../verify/listing.ts";
import { narParser } from "../../verify/nar-parser.ts";
import { Refusal } from "../../verify/refusal.ts";

/** What the cache takes. */
export const MAX_LISTING_BYTES = 64 * 1024 * 1024;

export interface ListingReader {
  push(chunk: Buffer): void;
  /** `undefined` where the NAR has none, such as one with a name that is not UTF-8, or one that the cache does not take. */
  end(): string | undefined;
}

export function listingReader(): ListingReader {
  const listing = listingVisitor({ maxLength: MAX_LISTING_BYTES });
  const parser = narParser([listing]);
  let isReadable = true;
  /** A tree that the parser refuses has no listing; whether it may be published is the cache's decision. */
  const reading = (read: () => void) => {
    if (!isReadable) return;
    try {
      read();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      isReadable = false;
    }
  };
  return {
    push: (chunk) => reading(() => parser.push(chunk)),
    end() {
      reading(() => parser.end());
      return isReadable ? listing.finish() : undefined;
    },
  };
}
