import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRabbitQueue } from '../../lib/queue/rabbitmq.ts';
import { type Consumer, consumeRabbit } from '../../lib/queue/rabbitmq-consumer.ts';
import type { RabbitSettings } from '../../lib/queue/rabbitmq-publisher.ts';
import {
  HopelessMessage,
  type PickLetters,
  QueueUnavailable,
  type TaskMessage,
  type TaskQueue,
} from '../../lib/queue/task-queue.ts';
import { aTaskId } from '../support/a-task.ts';
import { eventually } from '../support/eventually.ts';
import { keptLog } from '../support/kept-log.ts';
import { noRabbitServer, type Operator, openOperator, someQueue } from '../support/rabbitmq.ts';
import { type RabbitServer, startRabbit } from '../support/servers.ts';
import { openProxy } from '../support/tcp-proxy.ts';

describe.skipIf(noRabbitServer)('RabbitMQ', () => {
  let server: RabbitServer;
  let operator: Operator;
  let settings: RabbitSettings;
  let queue: TaskQueue;
  let consumers: Consumer[] = [];

  beforeAll(async () => {
    // Looked at every half second, where RabbitMQ looks once a minute at its half-hour.
    server = await startRabbit({
      settings: ['consumer_timeout = 1500'],
      flags: '-rabbit channel_tick_interval 500',
    });
  }, 90_000);
  afterAll(() => server?.close());
  beforeEach(async () => {
    settings = someQueue(server.url);
    operator = await openOperator(server.url);
    queue = openRabbitQueue(settings);
  });
  afterEach(async () => {
    for (const consumer of consumers) await consumer.stop();
    consumers = [];
    await queue.close();
    await operator.remove(settings).catch(() => {});
    await operator.close();
  });

  const control = (...args: string[]) => server.control(...args);
  const aMessage = () => ({ taskId: aTaskId(), delaySeconds: 0 });

  function consume(
    deliver: (message: TaskMessage) => Promise<void>,
    options: { concurrency?: number; settings?: RabbitSettings; repairEveryMs?: number } = {},
  ) {
    const { logger, lines } = keptLog();
    const consumer = consumeRabbit({
      settings,
      concurrency: 10,
      ...options,
      deliver,
      logger,
    });
    consumers.push(consumer);
    return { consumer, lines };
  }

  it('says that a message was not stored when its queue is gone, and makes the queue again', async () => {
    await queue.publish([aMessage()]);
    await operator.channel.queueDelete({ queue: settings.queue });
    const failed = queue.publish([aMessage(), aMessage()]);
    await expect(failed).rejects.toThrow(QueueUnavailable);
    await expect(failed).rejects.toMatchObject({
      cause: { message: 'RabbitMQ had no queue for 2 messages.' },
    });
    await queue.publish([aMessage()]);
    expect(await queue.depth()).toMatchObject({ ready: 1 });
  });

  it('makes a queue of delayed messages again that was deleted', async () => {
    await queue.publish([aMessage()]);
    await operator.channel.queueDelete({ queue: `${settings.queue}.delay-1s` });
    await expect(queue.depth()).rejects.toMatchObject({ cause: { code: 'NOT_FOUND' } });
    expect(await queue.depth()).toMatchObject({ ready: 1, delayed: 0 });
  });

  it('makes an exchange again that was deleted, when a message is to go there', async () => {
    await queue.publish([aMessage()]);
    await operator.channel.exchangeDelete({ exchange: `${settings.queue}.delay.9` });
    const failed = queue.publish([{ ...aMessage(), delaySeconds: 3 }]);
    await expect(failed).rejects.toMatchObject({ cause: { code: 'NOT_FOUND' } });
    await queue.publish([{ ...aMessage(), delaySeconds: 3 }]);
    expect(await queue.depth()).toMatchObject({ ready: 1, delayed: 1 });
  });

  it('repairs now and then what nobody is told of, and messages go on their way', async () => {
    const taken: string[] = [];
    await queue.publish([aMessage()]);
    await operator.channel.exchangeDelete({ exchange: `${settings.queue}.delay.0` });
    const delayed = { ...aMessage(), delaySeconds: 2 };
    await queue.publish([delayed]);
    consume(async ({ taskId }) => void taken.push(taskId), {
      repairEveryMs: 200,
    });
    await operator.channel.queueUnbind({
      queue: settings.queue,
      exchange: `${settings.queue}.delay.0`,
      routingKey: [...Array(9).fill('*'), '0', '#'].join('.'),
    });
    await eventually(() => expect(taken).toContain(delayed.taskId), 20_000);
  }, 30_000);

  it('says at once that the broker is short of memory, costs it no connection, and goes on after', async () => {
    const connections = async () =>
      Number(await control('eval', 'length(rabbit_networking:connections()).'));
    await queue.publish([aMessage()]);
    await control('set_vm_memory_high_watermark', '0.00001');
    try {
      const before = await connections();
      await expect(queue.publish([aMessage()])).rejects.toMatchObject({
        cause: { message: 'RabbitMQ takes no messages for now: low on memory.' },
      });
      const startedAt = performance.now();
      for (let tries = 0; tries < 100; tries++) {
        await expect(queue.publish([aMessage()])).rejects.toThrow(QueueUnavailable);
        await expect(queue.depth()).rejects.toThrow(QueueUnavailable);
      }
      expect(performance.now() - startedAt).toBeLessThan(1000);
      expect(await connections()).toBe(before);
    } finally {
      await control('set_vm_memory_high_watermark', '0.4');
    }
    await eventually(() => queue.publish([aMessage()]));
    // The one that told of it had been sent.
    expect((await queue.depth()).ready).toBeLessThanOrEqual(3);
  }, 60_000);

  it('reaches a broker that is far away, though declaring everything takes it longer than a call may', async () => {
    const proxy = await openProxy(server.url, { delayMs: 60 });
    const far = openRabbitQueue({ ...settings, url: proxy.url });
    try {
      await expect(far.publish([aMessage()])).rejects.toMatchObject({
        cause: { message: 'RabbitMQ was not ready within 2000 ms.' },
      });
      await eventually(() => far.publish([aMessage()]), 20_000);
    } finally {
      await far.close();
      await proxy.close();
    }
  }, 60_000);

  it('consumes a queue again that was deleted', async () => {
    const taken: string[] = [];
    const { consumer } = consume(async ({ taskId }) => void taken.push(taskId));
    await consumer.ready;
    await queue.publish([aMessage()]);
    await operator.channel.queueDelete({ queue: settings.queue });
    const message = aMessage();
    await eventually(() => queue.publish([message]));
    await eventually(() => expect(taken).toContain(message.taskId));
  });

  it('names a queue that differs, how, and what to do, and goes on once that is done', async () => {
    await operator.channel.queueDeclare({ queue: settings.queue, durable: true });
    const failed = queue.publish([aMessage()]);
    await expect(failed).rejects.toThrow(QueueUnavailable);
    const words = [
      `RabbitMQ has a queue ${settings.queue} that is not as errand makes it`,
      "received the value '' of type 'longstr' but current is none",
      `rabbitmqctl delete_queue ${settings.queue} --if-empty`,
      'RABBITMQ_QUEUE',
    ];
    for (const part of words) {
      await expect(failed).rejects.toMatchObject({
        cause: { message: expect.stringContaining(part) },
      });
    }
    const { consumer, lines } = consume(async () => {});
    const line = await eventually(() => {
      const found = lines().find(({ level }) => level === 'error');
      expect(found).toBeDefined();
      return found;
    });
    expect(line?.cause).toContain(words[0]);
    await operator.channel.queueDelete({ queue: settings.queue, ifEmpty: true });
    await consumer.ready;
  });

  it('tells of wrong credentials, and shows none', async () => {
    const url = server.url.replace('guest:guest', 'errand:s3cret');
    const { lines } = consume(async () => {}, { settings: { ...settings, url } });
    await eventually(() => {
      expect(lines()).toContainEqual(expect.objectContaining({ level: 'error' }));
    });
    expect(JSON.stringify(lines())).toContain('ACCESS_REFUSED');
    const { host } = new URL(server.url);
    expect(lines()).toContainEqual(
      expect.objectContaining({
        broker: `${host} (user errand)`,
        remedy: expect.stringMatching(/^Are they right\? .* RABBITMQ_URL names it\.$/),
      }),
    );
    expect(JSON.stringify(lines())).not.toContain('s3cret');
  });

  it('gives a message back that cannot be handled now, and a pause with it', async () => {
    const tries: number[] = [];
    consume(async () => {
      tries.push(performance.now());
      if (tries.length < 3) throw new Error('not now');
    });
    await queue.publish([aMessage()]);
    await eventually(() => expect(tries).toHaveLength(3), 15_000);
    const [first = 0, second = 0] = tries;
    expect(second - first).toBeGreaterThan(900);
    await eventually(async () => expect(await queue.depth()).toMatchObject({ ready: 0 }));
    expect(await queue.countDeadLetters()).toBe(0);
  });

  it('finds one dead letter among thousands, and two who redrive share them', async () => {
    const deadLetters = `${settings.queue}.dead-letters`;
    await queue.depth();
    const all: PickLetters = async (letters) => letters;
    const ids = Array.from({ length: 3000 }, (_, index) => `letter-${index}`);
    await Promise.all(
      ids.map((messageId) =>
        operator.channel.basicPublish(
          { routingKey: deadLetters, durable: true, messageId },
          JSON.stringify({ taskId: messageId }),
        ),
      ),
    );
    const startedAt = performance.now();
    const last = await queue.deadLetters(10, async (letters) =>
      letters.filter(({ id }) => id === 'letter-2999'),
    );
    expect(last).toMatchObject([{ id: 'letter-2999' }]);
    expect(await queue.redrive(all, 'letter-2998')).toBe(1);
    // One by one it took three milliseconds a letter.
    expect(performance.now() - startedAt).toBeLessThan(6000);
    // The broker takes a moment to have back what the others looked at.
    await eventually(async () => expect(await queue.countDeadLetters()).toBe(2999));
    const moved = await Promise.all([queue.redrive(all), queue.redrive(all)]);
    expect(moved[0] + moved[1]).toBe(2999);
    expect(await queue.countDeadLetters()).toBe(0);
    expect(await queue.depth()).toMatchObject({ ready: 3000 });
  }, 60_000);

  it('gives up at once on what nothing would come of', async () => {
    let tries = 0;
    const { lines } = consume(async () => {
      tries += 1;
      throw new HopelessMessage('There is no such task.');
    });
    await queue.publish([aMessage()]);
    await eventually(async () => expect(await queue.countDeadLetters()).toBe(1));
    expect(tries).toBe(1);
    expect(lines()).toContainEqual(
      expect.objectContaining({ msg: 'gave up on a message', cause: 'There is no such task.' }),
    );
  });

  it('works on no more messages at once than it may', async () => {
    let now = 0;
    let most = 0;
    let done = 0;
    consume(
      async () => {
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now -= 1;
        done += 1;
      },
      { concurrency: 3 },
    );
    await queue.publish(Array.from({ length: 50 }, aMessage));
    await eventually(() => expect(done).toBe(50), 15_000);
    expect(most).toBe(3);
  });

  it('waits for what is being worked on when it stops, and takes nothing more', async () => {
    const held = Promise.withResolvers<void>();
    const begun: string[] = [];
    const { consumer } = consume(
      async ({ taskId }) => {
        begun.push(taskId);
        await held.promise;
      },
      { concurrency: 1 },
    );
    const messages = [aMessage(), aMessage()];
    await queue.publish(messages);
    await eventually(() => expect(begun).toHaveLength(1));
    let stopped = false;
    const stopping = consumer.stop().then(() => {
      stopped = true;
    });
    await eventually(async () => expect(await queue.depth()).toMatchObject({ ready: 1 }));
    expect(stopped).toBe(false);
    held.resolve();
    await stopping;
    expect(begun).toHaveLength(1);
    expect(await queue.depth()).toMatchObject({ ready: 1 });
  });

  it('ends what takes longer than the broker waits for acknowledgements, and once', async () => {
    const held = Promise.withResolvers<void>();
    const begun: string[] = [];
    const { lines } = consume(
      async ({ taskId }) => {
        begun.push(taskId);
        await held.promise;
      },
      { concurrency: 1 },
    );
    const [long, next] = [aMessage(), aMessage()];
    await queue.publish([long]);
    // The broker closes the channel and delivers the message again; that one is acknowledged.
    await eventually(() => {
      expect(lines().map(({ msg }) => msg)).toContain('takes messages again');
    }, 15_000);
    await queue.publish([next]);
    // With a prefetch of one, this one is delivered only once the first is acknowledged.
    await eventually(async () => expect(await queue.depth()).toMatchObject({ ready: 0 }));
    expect(begun).toEqual([long.taskId]);
    held.resolve();
    await eventually(() => expect(begun).toEqual([long.taskId, next.taskId]));
    await eventually(async () => expect(await queue.depth()).toMatchObject({ ready: 0 }));
    expect(await queue.countDeadLetters()).toBe(0);
  }, 60_000);

  it('keeps its messages when it is killed, and its consumer finds it again', async () => {
    const taken: string[] = [];
    const messages = [aMessage(), { ...aMessage(), delaySeconds: 1 }];
    await queue.publish(messages);
    await server.crash();
    await expect(queue.publish([aMessage()])).rejects.toThrow(QueueUnavailable);
    const { lines } = consume(async ({ taskId }) => void taken.push(taskId));
    await eventually(() => expect(lines()).toHaveLength(1));
    await server.restart();
    await eventually(
      () => expect(new Set(taken)).toEqual(new Set(messages.map(({ taskId }) => taskId))),
      30_000,
    );
    expect(lines().map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      'info waits for RabbitMQ',
      'info takes messages again',
    ]);
    operator = await openOperator(server.url);
    queue = openRabbitQueue(settings);
  }, 90_000);
});
