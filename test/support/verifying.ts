/** Verification as alarms do it in a quiet catalog: at once, until nothing is left to read. */
import { newestQueued } from "../../src/catalog/rows/nar-queue.ts";
import { verifyQueued } from "../../src/catalog/verify/queue.ts";
import { inCatalog, later } from "./runs.ts";

/** A minute later, and nobody pushes. */
export const QUIET = { ...later(60_000), isBusy: () => false };

export async function verifyAll(): Promise<void> {
  await inCatalog(async (c) => {
    while (newestQueued(c) !== undefined) await verifyQueued(c);
  }, QUIET);
}
