import { openRabbitQueue } from '../../lib/queue/rabbitmq.ts';
import { consumeRabbit } from '../../lib/queue/rabbitmq-consumer.ts';
import { receiveCountOf, traceparentOf } from '../../lib/queue/rabbitmq-message.ts';
import { rabbitNames } from '../../lib/queue/rabbitmq-topology.ts';
import { describeTaskQueue } from '../contract/task-queue.ts';
import { quiet } from '../support/quiet.ts';
import { noRabbit, openOperator, someQueue, useRabbit } from '../support/rabbitmq.ts';
import { openProxy } from '../support/tcp-proxy.ts';

const rabbit = useRabbit();

const capabilities = {
  countsInFlight: false,
  closesConnections: true,
  makesMissingQueues: true,
  refusesStrangersAtOnce: true,
};

describeTaskQueue(
  'the RabbitMQ queue',
  capabilities,
  async () => {
    const wire = await openProxy(rabbit.url);
    const settings = someQueue(rabbit.url);
    const wired = { ...settings, url: wire.url };
    const missing = someQueue(rabbit.url);
    const queue = openRabbitQueue(wired);
    const operator = await openOperator(rabbit.url);
    const names = rabbitNames(settings.queue);
    await queue.depth();
    const sendTo = async (name: string, body: string, traceparent?: string) => {
      const headers = { traceparent };
      await operator.channel.basicPublish({ routingKey: name, durable: true, headers }, body);
    };
    return {
      queue,
      async drain() {
        const bodies: unknown[] = [];
        for (;;) {
          const message = await operator.get(settings.queue);
          if (!message) return bodies;
          bodies.push(JSON.parse(message.body));
          operator.channel.basicAck({ deliveryTag: message.deliveryTag });
        }
      },
      async purge() {
        await operator.purge(settings);
      },
      sendRaw: (body) => sendTo(settings.queue, body),
      giveUpOn: (body, traceparent) => sendTo(names.deadLetters, body, traceparent),
      async purgeDeadLetters() {},
      cut: wire.cut,
      mend: wire.mend,
      hang: wire.hang,
      async openAnother() {
        const other = await openProxy(rabbit.url);
        const queue = openRabbitQueue({ ...settings, url: other.url });
        return { queue, connections: other.clients, end: other.close };
      },
      openMissing: async () => openRabbitQueue(missing),
      async receive() {
        const receiver = await openOperator(rabbit.url);
        const message = await receiver.get(settings.queue);
        if (!message) {
          await receiver.close();
          return undefined;
        }
        const { deliveryTag } = message;
        return {
          body: JSON.parse(message.body),
          receiveCount: receiveCountOf(message),
          traceparent: traceparentOf(message),
          async acknowledge() {
            receiver.channel.basicAck({ deliveryTag });
            await receiver.close();
          },
          async giveBack() {
            receiver.channel.basicNack({ deliveryTag, requeue: true });
            await receiver.close();
          },
          abandon: () => receiver.close(),
        };
      },
      consume: (take) =>
        consumeRabbit({
          settings: wired,
          concurrency: 100,
          deliver: async (message) => take(message),
          logger: quiet,
        }),
      async close() {
        await queue.close();
        await operator.remove(settings);
        await operator.remove(missing).catch(() => {});
        await operator.close();
        await wire.close();
      },
    };
  },
  noRabbit,
);
