import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import type { AttemptResult, Output, Outputs, Task, TaskSummary } from '../tasks/task.ts';
import type { TaskDocument, TaskSummaryDocument } from './task-document.ts';
import { asText } from './text.ts';

/** A task in a list: without its output and its attempts. */
export function viewSummary(task: TaskSummary): z.infer<typeof TaskSummaryDocument> {
  return {
    id: task.id,
    ...(task.program.kind === 'shell'
      ? { command: task.program.command }
      : { argv: [...task.program.argv] }),
    status: task.status,
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    retryDelaySeconds: task.retryDelaySeconds,
    onWorkerLost: task.onWorkerLost,
    ...viewResult(task.result),
    failure: task.failure,
    timeoutSeconds: task.timeoutSeconds,
    memoryMb: task.memoryMb,
    limits: task.limits,
    labels: task.labels,
    createdAt: task.createdAt,
    runAt: task.runAt,
    startedAt: task.startedAt,
    finishedAt: task.finishedAt,
    cancelRequestedAt: task.cancelRequestedAt,
  };
}

/** A task that was stored just now. */
export function viewNewTask(task: TaskSummary): z.infer<typeof TaskDocument> {
  return viewTask({ ...task, attempts: [], output: null });
}

/** A task as a whole; output is null while it waits to be run, and grows while it runs. */
export function viewTask(task: Task): z.infer<typeof TaskDocument> {
  return {
    ...viewSummary(task),
    ...viewOutput(task.output),
    attempts: task.attempts.map(({ result, ...attempt }) => ({
      number: attempt.number,
      status: attempt.status,
      ...viewResult(result),
      failure: attempt.failure,
      sandboxTier: attempt.sandboxTier,
      startedAt: attempt.startedAt,
      finishedAt: attempt.finishedAt,
    })),
  };
}

function viewResult({ exitCode, signal, wallMs, cpuMs, maxRssBytes }: AttemptResult) {
  const usage = wallMs === null ? null : { wallMs, cpuMs, maxRssBytes };
  return { exitCode, signal, usage };
}

function viewOutput(output: Outputs | null) {
  if (!output) return { stdout: null, stderr: null };
  const [stdout, stderr] = [viewStream(output.stdout), viewStream(output.stderr)];
  return {
    stdout: stdout.text,
    stdoutEncoding: stdout.encoding,
    stdoutTruncated: stdout.truncated,
    stdoutBytes: output.stdout.totalBytes,
    stderr: stderr.text,
    stderrEncoding: stderr.encoding,
    stderrTruncated: stderr.truncated,
    stderrBytes: output.stderr.totalBytes,
  };
}

/** Text where it is text, else base64. */
function viewStream({ bytes, totalBytes }: Output) {
  const truncated = totalBytes > bytes.length;
  const text = asText(truncated ? withoutCutCharacter(bytes) : bytes);
  return text === undefined
    ? { text: bytes.toString('base64'), encoding: 'base64' as const, truncated }
    : { text, encoding: 'utf8' as const, truncated };
}

/** The cap can fall into a character of up to four bytes; that must not turn a text into base64. */
function withoutCutCharacter(bytes: Buffer): Buffer {
  for (let cut = 0; cut < 4 && cut <= bytes.length; cut++) {
    const shorter = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(shorter)) return shorter;
  }
  return bytes;
}
