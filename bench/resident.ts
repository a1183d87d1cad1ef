// The resident memory of the workerd processes of a process group, from Linux' /proc.
import { readdirSync, readFileSync } from "node:fs";

const INTERVAL_MS = 50;
const MB = 1e6;

/** MB of all workerd processes of the group together: wrangler runs one for its proxy, one for Worker and simulator. */
export function residentMegabytes(processGroup: number): number {
  let bytes = 0;
  for (const pid of readdirSync("/proc")) {
    if (/^\d+$/.test(pid)) bytes += workerdBytes(pid, processGroup);
  }
  return bytes / MB;
}

/** Runs something and returns the highest of what {@link residentMegabytes} says meanwhile. */
export async function peakDuring(processGroup: number, run: () => Promise<void>): Promise<number> {
  let peak = residentMegabytes(processGroup);
  const look = () => {
    peak = Math.max(peak, residentMegabytes(processGroup));
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

/** 0 for other processes, and for one that has just ended. */
function workerdBytes(pid: string, processGroup: number): number {
  try {
    // `pid (name) state parent group ...`
    const [, name, group] = /\((.*)\) \S+ \d+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    if (name !== "workerd" || Number(group) !== processGroup) return 0;
    const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}
