// The highest memory of the workerd processes of a process group while something runs.
import { memory, workerds } from "../test/memory/workerd.ts";

const INTERVAL_MS = 50;
const MB = 1e6;

/** MB of all workerd processes of the group together: wrangler runs one for its proxy, one for Worker and simulator. */
export function residentMegabytes(group: number): number {
  return memory(workerds(group), "now") / MB;
}

/** Runs something and returns the maximum of {@link residentMegabytes} meanwhile. */
export async function peakDuring(group: number, run: () => Promise<void>): Promise<number> {
  let peak = residentMegabytes(group);
  const look = () => {
    peak = Math.max(peak, residentMegabytes(group));
  };
  const timer = setInterval(look, INTERVAL_MS);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  look();
  return peak;
}
