import { setTimeout as delay } from 'node:timers/promises';
import { inject } from 'vitest';
import { openSqsQueue } from '../../lib/queue/sqs.ts';
import { deliverBatch } from '../../lib/queue/sqs-batch.ts';
import { describeTaskQueue } from '../contract/task-queue.ts';
import {
  createQueue,
  deleteQueue,
  drainQueue,
  openReceiver,
  purgeQueue,
  type Receiver,
  sendRaw,
} from '../support/queue.ts';
import { quiet } from '../support/quiet.ts';
import { anSqsEvent, aRecord } from '../support/sqs-event.ts';
import { openProxy } from '../support/tcp-proxy.ts';

const capabilities = {
  countsInFlight: true,
  closesConnections: false,
  makesMissingQueues: false,
  refusesStrangersAtOnce: false,
};

describeTaskQueue('the SQS queue', capabilities, async () => {
  const endpoint = inject('sqsEndpoint');
  const wire = await openProxy(endpoint);
  const settings = await createQueue(endpoint);
  const wired = { ...settings, endpoint: wire.url };
  const queue = openSqsQueue(wired, process.env);
  const receiver = openReceiver(settings);
  return {
    queue,
    drain: () => drainQueue(settings),
    purge: () => purgeQueue(settings),
    sendRaw: (body) => sendRaw(settings, settings.url, body),
    giveUpOn: (body, traceparent) => sendRaw(settings, settings.deadLetterUrl, body, traceparent),
    purgeDeadLetters: () => purgeQueue(settings, settings.deadLetterUrl),
    cut: wire.cut,
    mend: wire.mend,
    hang: wire.hang,
    async openAnother() {
      const other = await openProxy(endpoint);
      const queue = openSqsQueue({ ...settings, endpoint: other.url }, process.env);
      return { queue, connections: other.clients, end: other.close };
    },
    async openMissing() {
      const missing = await createQueue(endpoint);
      await deleteQueue(missing);
      return openSqsQueue(missing, process.env);
    },
    async receive() {
      const [message] = await receiver.receive(1);
      if (!message) return undefined;
      return {
        body: JSON.parse(message.Body ?? ''),
        receiveCount: Number(message.Attributes?.ApproximateReceiveCount),
        traceparent: message.MessageAttributes?.traceparent?.StringValue,
        acknowledge: () => receiver.remove([message]),
        giveBack: () => receiver.showAgain([message]),
        async abandon() {}, // Its visibility timeout runs out.
      };
    },
    consume: (take) => consume(openReceiver(wired), take),
    async close() {
      await queue.close();
      receiver.close();
      await deleteQueue(settings);
      await wire.close();
    },
  };
});

/** As an event source mapping does it. */
function consume(receiver: Receiver, take: (body: unknown) => void) {
  let stopping = false;
  const poll = async () => {
    while (!stopping) {
      // The connection may be cut at any moment; what is not removed is shown again.
      const messages = await receiver.receive(10).catch(() => []);
      if (messages.length === 0) await delay(20);
      const records = messages.map(({ MessageId = '', Body = '' }) =>
        aRecord({ messageId: MessageId, body: Body }),
      );
      const { batchItemFailures } = await deliverBatch(
        anSqsEvent(...records),
        async (message) => take(message),
        quiet,
      );
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const isFailed = ({ MessageId = '' }) => failed.has(MessageId);
      await receiver.remove(messages.filter((message) => !isFailed(message))).catch(() => {});
      await receiver.showAgain(messages.filter(isFailed)).catch(() => {});
    }
  };
  const polling = Promise.all([poll(), poll(), poll(), poll()]);
  return {
    async stop() {
      stopping = true;
      await polling;
      receiver.close();
    },
  };
}
