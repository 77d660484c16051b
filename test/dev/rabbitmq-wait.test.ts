import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { untilRabbitAnswers } from '../../dev/rabbitmq-wait.ts';
import { Refusal } from '../../dev/refusal.ts';
import { noRabbit, openOperator, someQueue, useRabbit } from '../support/rabbitmq.ts';

/** What the user is told, and what of it while it is being waited for. */
async function ask(url: string, queue = someQueue(url).queue, withinMs = 300) {
  const waits: string[] = [];
  const wait = { quietMs: 0, withinMs, onWaiting: (why: string) => void waits.push(why) };
  const error = await untilRabbitAnswers({ url, queue }, wait).catch((error: unknown) => error);
  if (error !== undefined) expect(error).toBeInstanceOf(Refusal);
  const refusal = error as Refusal | undefined;
  return { waits, told: refusal?.message ?? '', remedy: refusal?.remedy ?? '' };
}

describe.skipIf(noRabbit)('untilRabbitAnswers', () => {
  const rabbit = useRabbit();
  const changed = (change: (url: URL) => void) => {
    const url = new URL(rabbit.url);
    change(url);
    return url.href;
  };

  it('says nothing of a broker that is there', async () => {
    const settings = someQueue(rabbit.url);
    expect(await ask(rabbit.url, settings.queue, 20_000)).toMatchObject({ waits: [], told: '' });
    const operator = await openOperator(rabbit.url);
    await operator.remove(settings);
    await operator.close();
  });

  it('says at once that user or password are wrong, and shows none', async () => {
    const url = changed((url) => {
      url.password = 's3cret';
    });
    const { told, remedy, waits } = await ask(url, 'errand', 60_000);
    const { host } = new URL(rabbit.url);
    expect(told).toBe(`No RabbitMQ at ${host} (user guest): it refuses user or password.`);
    expect(remedy).toContain('RABBITMQ_URL');
    expect(`${told}${remedy}${waits}`).not.toContain('s3cret');
  });

  it('says at once that there is no such virtual host', async () => {
    const url = changed((url) => {
      url.pathname = '/nowhere';
    });
    const { told, remedy } = await ask(url, 'errand', 60_000);
    expect(told).toContain('(user guest, virtual host nowhere): it has no such virtual host');
    expect(remedy).toContain('rabbitmqctl add_vhost');
  });

  it('says at once that the queue of that name is another one', async () => {
    const operator = await openOperator(rabbit.url);
    const settings = someQueue(rabbit.url);
    await operator.channel.queueDeclare({ queue: settings.queue, durable: true });
    const { told } = await ask(rabbit.url, settings.queue, 60_000);
    expect(told).toContain(`a queue ${settings.queue} that is not as errand makes it`);
    await operator.remove(settings).catch(() => {});
    await operator.close();
  });

  it('tells where it waits and why, and in the end what helps', async () => {
    const port = await freePort(undefined);
    const { told, remedy, waits } = await ask(`amqp://guest:s3cret@127.0.0.1:${port}/tasks`);
    const place = `127.0.0.1:${port} (user guest, virtual host tasks)`;
    expect(waits).toEqual([`${place}: the connection is refused; trying for 0.3 s in all`]);
    expect(told).toBe(`No RabbitMQ at ${place}: the connection is refused.`);
    expect(remedy).toContain('Does RabbitMQ run there');
  });

  it('says that what listens is no RabbitMQ', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { told, remedy } = await ask(`amqp://guest:guest@127.0.0.1:${port}`);
    expect(told).toContain('nothing answers there as RabbitMQ does');
    expect(remedy).toContain('5672');
    server.closeAllConnections();
    server.close();
  });
});
