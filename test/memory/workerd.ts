// The memory of workerd in /proc: the peak since the last reset.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Process ids of the workerds of a process group. */
export function workerds(group: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [, name, rest = ""] = /^\d+ \((.*)\) (.*)$/.exec(read(pid, "stat").trim()) ?? [];
      return name === "workerd" && Number(rest.split(" ")[2]) === group;
    });
}

/** Resets the peak. Linux only. */
export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Bytes; the sum over all of them. */
export function memory(pids: readonly number[], which: "peak" | "now"): number {
  const field = which === "peak" ? "VmHWM" : "VmRSS";
  const kib = (pid: number) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(read(pid, "status"))?.[1]);
  return pids.reduce((sum, pid) => sum + kib(pid) * 1024, 0);
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
