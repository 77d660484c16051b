/**
 * A worker as a process of its own: receives messages, executes their tasks, and deletes what was
 * handled. `DIE_AT` names the moment at which it is gone, as a power cut would have it.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { connect } from '../../lib/db/connection.ts';
import { openSqsQueue, type SqsSettings } from '../../lib/queue/sqs.ts';
import { TaskMessage } from '../../lib/queue/task-queue.ts';
import { openSandbox } from '../../lib/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { shutdownSignal } from '../../lib/shutdown.ts';
import { makeExecuteTask } from '../../lib/tasks/execute-task.ts';
import { quiet } from '../support/quiet.ts';

export type Moment = 'before spawn' | 'after exit' | 'after settle';

export interface WorkerSettings {
  readonly databaseUrl: string;
  readonly queue: SqsSettings;
  readonly leaseSeconds: number;
  readonly visibilitySeconds: number;
  readonly graceMs: number;
  readonly dieAt?: Moment;
  /** A line for each command that ended, with its attempt's process: executions, not endings. */
  readonly journal: string;
}

const POLL_MS = 20;

const settings = JSON.parse(process.env.WORKER ?? '') as WorkerSettings;

function dieAt(moment: Moment): void {
  if (settings.dieAt === moment) process.kill(process.pid, 'SIGKILL');
}

const unisolated = await openSandbox('unsafe-none');
const sandbox: Sandbox = {
  ...unisolated,
  async run(...args) {
    dieAt('before spawn');
    const outcome = await unisolated.run(...args);
    appendFileSync(settings.journal, `${outcome.ending.kind}\n`);
    dieAt('after exit');
    return outcome;
  },
};

const { queue: address } = settings;
const sqs = new SQSClient({
  region: address.region,
  ...(address.endpoint && { endpoint: address.endpoint }),
});
const executeTask = makeExecuteTask({
  sql: connect({ url: settings.databaseUrl, poolMax: 3, prepare: true }),
  queue: openSqsQueue(address, process.env),
  sandbox,
  leaseSeconds: settings.leaseSeconds,
  logger: quiet,
});
const shutdown = shutdownSignal(settings.graceMs);
const running = new Set<Promise<void>>();

while (!shutdown.aborted) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: address.url,
      // The emulator would hand the next message to a long poll of a worker that has been killed.
      WaitTimeSeconds: 0,
      VisibilityTimeout: settings.visibilitySeconds,
    }),
  );
  if (Messages.length === 0) await delay(POLL_MS);
  for (const message of Messages) {
    const handled = handle(message.Body ?? '', message.ReceiptHandle ?? '');
    running.add(handled);
    void handled.finally(() => running.delete(handled));
  }
}
await Promise.all(running);
await unisolated.close();
process.exit(0);

async function handle(body: string, receiptHandle: string): Promise<void> {
  const { taskId } = TaskMessage.parse(JSON.parse(body));
  await executeTask(taskId, shutdown);
  dieAt('after settle');
  await sqs.send(new DeleteMessageCommand({ QueueUrl: address.url, ReceiptHandle: receiptHandle }));
}
