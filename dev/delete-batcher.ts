import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';

/** The most entries that SQS takes in a batch. */
const SQS_BATCH = 10;
/** How long a receipt waits for company. Below a command's own cost, so nobody notices. */
const GATHER_MS = 5;
/** Tries over about 10 s: a restarted emulator is back long before. */
const RETRY_DELAYS_MS = [50, 100, 200, 500, 1000, 2000, 3000, 3000];

/** Deletes messages, ten in a request, across invocations that each finished a few. */
export interface DeleteBatcher {
  add(receiptHandles: readonly string[]): void;
  /** Resolves when nothing is left to delete, or was given up. */
  drain(): Promise<void>;
}

/**
 * `gaveUp` hears of messages that could not be deleted: they will be delivered again, which "at
 * least once" allows.
 */
export function makeDeleteBatcher(
  sqs: SQSClient,
  queueUrl: string,
  gaveUp: (messages: number, cause: unknown) => void,
): DeleteBatcher {
  const running = new Set<Promise<void>>();
  let gathered: string[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush() {
    clearTimeout(timer);
    timer = undefined;
    if (gathered.length === 0) return;
    const batch = gathered;
    gathered = [];
    const deletion = deleteWithRetries(sqs, queueUrl, batch, gaveUp);
    running.add(deletion);
    void deletion.finally(() => running.delete(deletion));
  }

  return {
    add(receiptHandles) {
      for (const receiptHandle of receiptHandles) {
        gathered.push(receiptHandle);
        if (gathered.length === SQS_BATCH) flush();
      }
      if (gathered.length > 0) timer ??= setTimeout(flush, GATHER_MS);
    },
    async drain() {
      flush();
      await Promise.all(running);
    },
  };
}

async function deleteWithRetries(
  sqs: SQSClient,
  queueUrl: string,
  receiptHandles: string[],
  gaveUp: (messages: number, cause: unknown) => void,
): Promise<void> {
  let left = receiptHandles;
  let cause: unknown;
  for (const delayMs of [0, ...RETRY_DELAYS_MS]) {
    if (delayMs > 0) await sleep(delayMs);
    try {
      left = await deleteBatch(sqs, queueUrl, left);
      if (left.length === 0) return;
      cause = new Error('SQS reported failed entries');
    } catch (error) {
      cause = error;
    }
  }
  gaveUp(left.length, cause);
}

/** Answers the receipts that SQS failed to delete by its own fault; the caller's are final. */
async function deleteBatch(
  sqs: SQSClient,
  queueUrl: string,
  receiptHandles: string[],
): Promise<string[]> {
  const { Failed: failed = [] } = await sqs.send(
    new DeleteMessageBatchCommand({
      QueueUrl: queueUrl,
      Entries: receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
    }),
  );
  return failed
    .filter(({ SenderFault }) => SenderFault !== true)
    .map(({ Id }) => receiptHandles[Number(Id)])
    .filter((handle) => handle !== undefined);
}
