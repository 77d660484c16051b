import type { Ending, Outcome } from '../sandbox/sandbox.ts';
import type { Settlement } from './attempt-store.ts';
import type { Failure } from './task.ts';

/** What an outcome means for the attempt; an aborted command counts as cancelled. */
export function settlementOf({ ending, stdout, stderr, usage }: Outcome): Settlement {
  const failure = failureOf(ending);
  return {
    status: ending.kind === 'aborted' ? 'cancelled' : failure ? 'failed' : 'succeeded',
    failure,
    exitCode: ending.kind === 'exited' ? ending.exitCode : null,
    signal: ending.kind === 'signalled' ? ending.signal : null,
    stdoutBytes: stdout.totalBytes,
    stderrBytes: stderr.totalBytes,
    wallMs: rounded(usage.wallMs),
    cpuMs: rounded(usage.cpuMs),
    maxRssBytes: rounded(usage.maxRssBytes),
  };
}

/** Clocks give fractions, and the columns are integers. */
function rounded(measured: number | null): number | null {
  return measured === null ? null : Math.round(measured);
}

/** Signals that the kernel sends for a limit of ours. */
const SIGNAL_MESSAGES: Partial<Record<NodeJS.Signals, string>> = {
  SIGXCPU: 'The command used more CPU time than its limit (SIGXCPU).',
  SIGXFSZ: 'The command wrote more into a file than its limit (SIGXFSZ).',
};

function failureOf(ending: Ending): Failure | null {
  switch (ending.kind) {
    case 'exited':
      return ending.exitCode === 0
        ? null
        : { code: 'nonzero_exit', message: `The command exited with code ${ending.exitCode}.` };
    case 'signalled':
      return {
        code: 'signalled',
        message: SIGNAL_MESSAGES[ending.signal] ?? `The command was ended by ${ending.signal}.`,
      };
    case 'timedOut':
      return {
        code: 'timed_out',
        message: `The command ran longer than its limit of ${ending.limitMs / 1000} s.`,
      };
    case 'outOfMemory':
      return {
        code: 'out_of_memory',
        message: `The command used more than its ${ending.limitBytes / 1024 ** 2} MB of memory.`,
      };
    case 'aborted':
      return null;
  }
}
