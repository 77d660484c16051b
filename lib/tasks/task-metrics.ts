import { count, observe } from '../observability/metrics.ts';
import type { Outcome, SandboxTier } from '../sandbox/sandbox.ts';
import type { Claim, Settled, Settlement } from './attempt-store.ts';
import type { Fate } from './upkeep-store.ts';

/** Of what did not fail. */
export const NO_CAUSE = 'none';

export function recordClaim({ waitedSeconds }: Claim, tier: SandboxTier): void {
  count('errand_attempts_started_total', { tier });
  observe('errand_attempt_wait_seconds', {}, waitedSeconds);
}

/** `tookMs`: the whole run, as the worker saw it. */
export function recordRun({ stdout, stderr, usage }: Outcome, tier: SandboxTier, tookMs: number) {
  count('errand_output_bytes_total', { stream: 'stdout' }, stdout.totalBytes);
  count('errand_output_bytes_total', { stream: 'stderr' }, stderr.totalBytes);
  if (usage.wallMs === null) return;
  const overheadMs = Math.max(0, tookMs - usage.wallMs);
  observe('errand_sandbox_overhead_seconds', { tier }, overheadMs / 1000);
}

export function recordSettlement(settlement: Settlement, { again, ageSeconds }: Settled): void {
  const { status, failure, wallMs } = settlement;
  const cause = failure?.code ?? NO_CAUSE;
  count('errand_attempts_ended_total', { status, cause });
  if (wallMs !== null) observe('errand_attempt_run_seconds', { status }, wallMs / 1000);
  if (again) {
    count('errand_retries_total', {});
  } else {
    count('errand_tasks_ended_total', { status, cause });
    observe('errand_task_duration_seconds', { status }, ageSeconds);
  }
}

/** Attempts whose worker is gone, and what became of their tasks. */
export function recordAbandoned(fates: readonly Fate[], how: 'lost' | 'given_back'): void {
  for (const { status, cause } of fates) {
    count('errand_attempts_ended_total', { status: 'failed', cause: 'worker_lost' });
    if (status !== 'queued')
      count('errand_tasks_ended_total', { status, cause: cause ?? NO_CAUSE });
    else if (how === 'lost') count('errand_rescues_total', { what: 'lost' });
  }
}
