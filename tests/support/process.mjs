// What a process of this machine has used so far; the only fair clock on a shared machine.

import { readFileSync, readdirSync } from "node:fs";

/** Linux counts CPU time in hundredths of a second for every program. */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, that the process has used since its start. Linux only. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name is in brackets and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * CPU milliseconds that the threads alive now have used, to the microsecond: for what is over before a tick of
 * `cpuSeconds` has passed. Linux only.
 */
export function cpuMillis(pid) {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // Ended meanwhile.
    }
  }
  return nanos / 1e6;
}

/** Bytes of memory the process holds at the moment. Linux only. */
export function rssBytes(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
