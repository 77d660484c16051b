import { inject } from 'vitest';
import { openSqsQueue } from '../../lib/queue/sqs.ts';
import { describeTaskQueue } from '../contract/task-queue.ts';
import { createQueue, deleteQueue, drainQueue, purgeQueue, sendRaw } from '../support/queue.ts';
import { openProxy } from '../support/tcp-proxy.ts';

describeTaskQueue('the SQS queue', async () => {
  const endpoint = inject('sqsEndpoint');
  const wire = await openProxy(endpoint);
  const settings = await createQueue(endpoint);
  const queue = openSqsQueue({ ...settings, endpoint: wire.url }, process.env);
  return {
    queue,
    drain: () => drainQueue(settings),
    purge: () => purgeQueue(settings),
    giveUpOn: (body) => sendRaw(settings, settings.deadLetterUrl, body),
    purgeDeadLetters: () => purgeQueue(settings, settings.deadLetterUrl),
    cut: wire.cut,
    mend: wire.mend,
    hang: wire.hang,
    async openMissing() {
      const missing = await createQueue(endpoint);
      await deleteQueue(missing);
      return openSqsQueue(missing, process.env);
    },
    async close() {
      await queue.close();
      await deleteQueue(settings);
      await wire.close();
    },
  };
});
