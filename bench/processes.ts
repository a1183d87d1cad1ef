// Processor time and memory of a server's processes, from /proc.
import { readdirSync, readFileSync } from "node:fs";

/** The programs that answer; wrangler beside them only waits. */
const SERVERS = new Set(["workerd", "nginx", "ncps"]);
/** USER_HZ: on every usual Linux. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface Usage {
  /** Processor time until now, user and system, in seconds. */
  readonly cpuSeconds: number;
  /** Resident memory now. */
  readonly rssBytes: number;
}

/** The sum over the serving processes of a process group; `undefined` without /proc. */
export function usageOf(group: number): Usage | undefined {
  let ticks = 0;
  let pages = 0;
  let processes = 0;
  for (const stat of stats()) {
    // proc_pid_stat(5): the name is in parentheses and may hold anything; the fields after it are counted from 3.
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const field = (number: number) => Number(fields[number - 3]);
    if (!SERVERS.has(name) || field(5) !== group) continue;
    processes++;
    ticks += field(14) + field(15);
    pages += field(24);
  }
  if (processes === 0) return undefined;
  return { cpuSeconds: ticks / TICKS_PER_SECOND, rssBytes: pages * PAGE_BYTES };
}

function* stats(): Generator<string> {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return; // Another system.
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    try {
      yield readFileSync(`/proc/${name}/stat`, "utf8");
    } catch {
      // It has ended meanwhile.
    }
  }
}
