import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChangeMessageVisibilityBatchCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { failedMessageIds } from './batch-invocation.ts';
import { makeDeleteBatcher } from './delete-batcher.ts';
import type { Invocation } from './lambda-endpoint.ts';
import type { ReceivedMessage } from './sqs-event.ts';

/** The most messages that one receive answers. */
const SQS_BATCH = 10;
/** Between tries while the queue does not answer. */
const OUTAGE_DELAYS_MS = [100, 200, 500, 1000];

/** The settings of an `sqs` event, under AWS's names and with AWS's meaning. */
export interface EventSource {
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly region: string;
  readonly batchSize: number;
  readonly maximumBatchingWindowSeconds: number;
  readonly maximumConcurrency: number;
  readonly reportBatchItemFailures: boolean;
  /**
   * How long one receive waits. An emulator goes on waiting for a client that died, and would hand
   * it the next message, lost until its visibility timeout: so the plugin waits 1 s, not AWS's 20.
   */
  readonly waitTimeSeconds: number;
}

export interface EventSourceMappingDeps {
  readonly sqs: SQSClient;
  readonly invoke: (event: SQSEvent) => Promise<Invocation>;
  /** Runs after an outage, before polling goes on: the queue may have lost its data. */
  readonly repair: () => Promise<unknown>;
  readonly report: (event: MappingEvent) => void;
}

/** What an operator should know. An outage is told once, however long it is. */
export type MappingEvent =
  | { readonly kind: 'queue unreachable'; readonly cause: unknown }
  | { readonly kind: 'queue reachable again' }
  | { readonly kind: 'batch failed'; readonly messageIds: string[]; readonly reason: string }
  | { readonly kind: 'delete gave up'; readonly messages: number; readonly cause: unknown };

export interface EventSourceMapping {
  /** Stops polling and waits for running invocations, at most that long. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Polls a queue and invokes a function with its messages, by the rules of Lambda's event source
 * mapping: messages that succeeded are deleted, all others are left until their visibility timeout
 * has run out, and the queue's redrive policy counts.
 */
export function startEventSourceMapping(
  source: EventSource,
  { sqs, invoke, repair, report }: EventSourceMappingDeps,
): EventSourceMapping {
  const running = new Set<Promise<void>>();
  const deletions = makeDeleteBatcher(sqs, source.queueUrl, (messages, cause) =>
    report({ kind: 'delete gave up', messages, cause }),
  );
  let stopping = false;
  let slotFreed = Promise.withResolvers<void>();

  async function poll(): Promise<void> {
    let failures = 0;
    while (!stopping) {
      if (running.size >= source.maximumConcurrency) {
        slotFreed = Promise.withResolvers();
        await slotFreed.promise;
        continue;
      }
      try {
        if (failures > 0) await repair();
        const messages = await gather();
        if (failures > 0) report({ kind: 'queue reachable again' });
        failures = 0;
        await dispatch(messages);
      } catch (cause) {
        if (stopping) return;
        if (failures === 0) report({ kind: 'queue unreachable', cause });
        await sleep(OUTAGE_DELAYS_MS[failures] ?? OUTAGE_DELAYS_MS.at(-1));
        failures += 1;
      }
    }
  }

  /** One receive; or, with a batching window, as many as fill a batch before the window ends. */
  async function gather(): Promise<ReceivedMessage[]> {
    const room = (source.maximumConcurrency - running.size) * source.batchSize;
    const messages = await receive(Math.min(room, SQS_BATCH), source.waitTimeSeconds);
    const windowEnds = Date.now() + source.maximumBatchingWindowSeconds * 1000;

    while (messages.length > 0 && messages.length < source.batchSize && !stopping) {
      const leftSeconds = (windowEnds - Date.now()) / 1000;
      if (leftSeconds <= 0) break;
      const wanted = Math.min(source.batchSize - messages.length, SQS_BATCH);
      const waitSeconds = Math.min(Math.floor(leftSeconds), source.waitTimeSeconds);
      const more = await receive(wanted, waitSeconds);
      messages.push(...more);
      if (more.length === 0 && waitSeconds === 0) await sleep(Math.min(leftSeconds * 1000, 100));
    }
    return messages;
  }

  async function receive(count: number, waitSeconds: number): Promise<ReceivedMessage[]> {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: source.queueUrl,
        MaxNumberOfMessages: count,
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    return Messages as ReceivedMessage[];
  }

  async function dispatch(messages: ReceivedMessage[]): Promise<void> {
    if (stopping) {
      await release(messages);
      return;
    }
    for (let start = 0; start < messages.length; start += source.batchSize) {
      const invocation = run(messages.slice(start, start + source.batchSize)).finally(() => {
        running.delete(invocation);
        slotFreed.resolve();
      });
      running.add(invocation);
    }
  }

  async function run(batch: ReceivedMessage[]): Promise<void> {
    const failed = await failedMessageIds(batch, source, invoke, (reason) => {
      const messageIds = batch.map(({ MessageId }) => MessageId);
      report({ kind: 'batch failed', messageIds, reason });
    });
    deletions.add(
      batch
        .filter(({ MessageId }) => !failed.has(MessageId))
        .map((message) => message.ReceiptHandle),
    );
  }

  /** Gives back what arrived while we stopped, so that it need not wait for its timeout. */
  async function release(messages: ReceivedMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await sqs.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl: source.queueUrl,
        Entries: messages.map(({ ReceiptHandle }, index) => ({
          Id: String(index),
          ReceiptHandle,
          VisibilityTimeout: 0,
        })),
      }),
    );
  }

  const polling = poll();
  return {
    async stop(graceMs) {
      stopping = true;
      slotFreed.resolve();
      const finished = polling.then(() => Promise.all(running)).then(() => deletions.drain());
      await Promise.race([finished, sleep(graceMs, undefined, { ref: false })]);
    },
  };
}
