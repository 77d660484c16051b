import type { Settlement } from '../../lib/tasks/attempt-store.ts';
import type { OutputBatch } from '../../lib/tasks/output-store.ts';

/** Of an attempt that wrote nothing, or whose output is stored already. */
export const NO_OUTPUT: OutputBatch = { firstSeq: 1, chunks: [] };

export const SUCCEEDED: Settlement = {
  status: 'succeeded',
  failure: null,
  exitCode: 0,
  signal: null,
  wallMs: 1,
  cpuMs: null,
  maxRssBytes: null,
  stdoutBytes: 0,
  stderrBytes: 0,
};

export const FAILED: Settlement = {
  ...SUCCEEDED,
  status: 'failed',
  failure: { code: 'nonzero_exit', message: 'The command exited with code 1.' },
  exitCode: 1,
};
