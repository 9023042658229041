import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** `host and process space | process id | its start time`: what it takes to know later whether the process is still there. */
export function processName(pid = process.pid): string {
  return [space(), pid, startTime(pid) ?? ''].join('|');
}

/** This process: it is asked about itself far more often than about others. */
let own: string | undefined;

/**
 * False only when the process is known to be gone: another host, or another space of process ids, cannot be seen from here and counts as alive
 * until its lease runs out.
 */
export function isRunning(name: string): boolean {
  own ??= processName();
  if (name === own) return true;
  const [itsSpace, pid, started] = name.split('|');
  if (itsSpace !== space()) return true;
  const number = Number(pid);
  const now = startTime(number);
  if (now !== undefined) return now === started;
  try {
    process.kill(number, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function space(): string {
  return `${hostname()} ${textOf(() => readlinkSync('/proc/self/ns/pid'))}`;
}

/** The start time in the kernel's ticks; a process id that is used again has another. Undefined where there is no /proc. */
function startTime(pid: number): string | undefined {
  const stat = textOf(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie is gone: nobody has asked for its exit code yet.
  return fields[0] === 'Z' || fields[0] === 'X' ? 'gone' : fields[19];
}

function textOf(read: () => string): string {
  try {
    return read();
  } catch {
    // Systems without /proc, and processes that are gone, have no text; the caller asks the kernel in another way.
    return '';
  }
}
