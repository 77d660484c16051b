import type { Settlement } from '../../lib/tasks/attempt-store.ts';

const nothing = { bytes: Buffer.alloc(0), totalBytes: 0 };

export const SUCCEEDED: Settlement = {
  status: 'succeeded',
  failure: null,
  exitCode: 0,
  signal: null,
  wallMs: 1,
  cpuMs: null,
  maxRssBytes: null,
  stdout: nothing,
  stderr: nothing,
};

export const FAILED: Settlement = {
  ...SUCCEEDED,
  status: 'failed',
  failure: { code: 'nonzero_exit', message: 'The command exited with code 1.' },
  exitCode: 1,
};
