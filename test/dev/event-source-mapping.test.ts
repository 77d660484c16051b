import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test as base, describe, inject } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Server, startEmulator } from '../support/servers.ts';
import { type LambdaServer, Raw, startLambdaServer, workerOf } from './lambda-server.ts';
import { type MappedQueue, makeMappedQueue } from './mapped-queue.ts';

const EMPTY = { ready: 0, inFlight: 0 };

interface Fixtures {
  /** The function, on a server of its own. */
  lambda: LambdaServer;
  /** A queue of its own on the emulator of the run. */
  queue: MappedQueue;
  /** The same with quick redelivery. */
  impatientQueue: MappedQueue;
  /** An emulator to break. */
  emulator: Server;
}

const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the needed fixtures from here.
  lambda: async ({}, use) => {
    const lambda = await startLambdaServer();
    await use(lambda);
    await lambda.close();
  },
  // biome-ignore lint/correctness/noEmptyPattern: the same.
  queue: async ({}, use) => {
    const queue = await makeMappedQueue(inject('sqsEndpoint'));
    await use(queue);
    await queue.remove();
  },
  // biome-ignore lint/correctness/noEmptyPattern: the same.
  impatientQueue: async ({}, use) => {
    const queue = await makeMappedQueue(inject('sqsEndpoint'), {
      visibilityTimeoutSeconds: 1,
      maxReceiveCount: 2,
    });
    await use(queue);
    await queue.remove();
  },
  // biome-ignore lint/correctness/noEmptyPattern: the same.
  emulator: async ({}, use) => {
    const emulator = await startEmulator();
    await use(emulator);
    await emulator.close();
  },
});

const bodies = (lambda: LambdaServer) =>
  lambda.events.map(({ Records }) => Records.map(({ body }) => body).sort());

describe.concurrent('startEventSourceMapping', () => {
  test('delivers messages and deletes what succeeded', async ({ expect, lambda, queue }) => {
    queue.map(workerOf(lambda), { batchSize: 1 });
    await queue.send(['a', 'b', 'c']);

    await eventually(() => expect(bodies(lambda).flat().sort()).toEqual(['a', 'b', 'c']));
    await eventually(async () => expect(await queue.counts()).toEqual(EMPTY));
  });

  test('writes records as AWS does', async ({ expect, lambda, queue }) => {
    queue.map(workerOf(lambda));
    await queue.send(['{"taskId":"1"}']);

    const record = await eventually(() => {
      expect(lambda.events).toHaveLength(1);
      return lambda.events[0]?.Records[0];
    });
    expect(record).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiptHandle: expect.any(String),
      body: '{"taskId":"1"}',
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        SenderId: expect.any(String),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
      },
      messageAttributes: {},
      md5OfBody: '265b9ee20f06d5a2e2256f752b07362e',
      eventSource: 'aws:sqs',
      eventSourceARN: expect.stringMatching(/^arn:aws:sqs:us-east-1:000000000000:tasks-/),
      awsRegion: 'us-east-1',
    });
  });

  test('fills a batch up to its size', async ({ expect, lambda, queue }) => {
    await queue.send(['a', 'b', 'c', 'd', 'e']);
    queue.map(workerOf(lambda), { batchSize: 2 });

    await eventually(() => expect(bodies(lambda).map((batch) => batch.length)).toEqual([2, 2, 1]));
  });

  test('waits for company within the batching window', async ({ expect, lambda, queue }) => {
    queue.map(workerOf(lambda), { batchSize: 3, maximumBatchingWindowSeconds: 5 });
    await queue.send(['a']);
    await queue.send(['b', 'c']);

    await eventually(() => expect(bodies(lambda)).toEqual([['a', 'b', 'c']]));
  });

  test('delivers what there is when the batching window ends', async ({
    expect,
    lambda,
    queue,
  }) => {
    queue.map(workerOf(lambda), { batchSize: 3, maximumBatchingWindowSeconds: 1 });
    await queue.send(['a']);

    await eventually(() => expect(bodies(lambda)).toEqual([['a']]));
  });

  test('runs as many invocations at once as it may, and no more', async ({
    expect,
    lambda,
    queue,
  }) => {
    const all = Promise.withResolvers<void>();
    lambda.answer = async (_event, invocation) => {
      if (invocation === 3) all.resolve();
      await all.promise;
    };
    await queue.send(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    queue.map(workerOf(lambda), { batchSize: 1, maximumConcurrency: 3 });

    await eventually(async () => expect(await queue.counts()).toEqual(EMPTY));
    expect(lambda.mostAtOnce).toBe(3);
  });

  test('leaves messages that it cannot handle yet in the queue', async ({
    expect,
    lambda,
    queue,
  }) => {
    const hold = Promise.withResolvers<void>();
    lambda.answer = () => hold.promise;
    await queue.send(['a', 'b', 'c']);
    queue.map(workerOf(lambda), { batchSize: 1, maximumConcurrency: 1 });

    await eventually(async () => expect(await queue.counts()).toEqual({ ready: 2, inFlight: 1 }));
    hold.resolve();
    await eventually(async () => expect(await queue.counts()).toEqual(EMPTY));
  });

  describe('when the function reports batch item failures', () => {
    test.for([
      ['an empty list', { batchItemFailures: [] }],
      ['a null list', { batchItemFailures: null }],
      ['an empty object', {}],
      ['null', null],
      ['nothing at all', new Raw('')],
    ])('takes %s as a success', async ([, response], { expect, lambda, queue }) => {
      lambda.answer = () => response;
      queue.map(workerOf(lambda));
      await queue.send(['a', 'b']);

      await eventually(() => expect(bodies(lambda).flat().sort()).toEqual(['a', 'b']));
      await eventually(async () => expect(await queue.counts()).toEqual(EMPTY));
    });

    test('deletes all but the reported messages', async ({ expect, lambda, queue }) => {
      lambda.answer = ({ Records }) => ({
        batchItemFailures: Records.filter(({ body }) => body === 'b').map(({ messageId }) => ({
          itemIdentifier: messageId,
        })),
      });
      await queue.send(['a', 'b', 'c']);
      queue.map(workerOf(lambda));

      await eventually(async () => expect(await queue.counts()).toEqual({ ready: 0, inFlight: 1 }));
    });

    test.for([
      ['an unknown identifier', { batchItemFailures: [{ itemIdentifier: 'who?' }] }],
      ['an empty identifier', { batchItemFailures: [{ itemIdentifier: '' }] }],
      ['a null identifier', { batchItemFailures: [{ itemIdentifier: null }] }],
      ['a wrong key', { batchItemFailures: [{ messageId: 'x' }] }],
      ['a list of texts', { batchItemFailures: ['x'] }],
      ['no list', { batchItemFailures: 'x' }],
      ['a number', 7],
      ['a text that is no JSON', new Raw('{"batchItemFailures": [')],
    ])('fails the whole batch on %s', async ([, response], { expect, lambda, queue }) => {
      lambda.answer = () => response;
      await queue.send(['a', 'b']);
      queue.map(workerOf(lambda));

      await eventually(() =>
        expect(queue.reports).toEqual([
          expect.objectContaining({
            kind: 'batch failed',
            messageIds: [expect.any(String), expect.any(String)],
          }),
        ]),
      );
      expect(await queue.counts()).toEqual({ ready: 0, inFlight: 2 });
    });
  });

  test('does not read the answer of a function that reports no item failures', async ({
    expect,
    lambda,
    queue,
  }) => {
    lambda.answer = () => ({ batchItemFailures: [{ itemIdentifier: 'who?' }] });
    queue.map(workerOf(lambda), { reportBatchItemFailures: false });
    await queue.send(['a']);

    await eventually(() => expect(lambda.events).toHaveLength(1));
    await eventually(async () => expect(await queue.counts()).toEqual(EMPTY));
  });

  test('fails the whole batch when the function throws', async ({ expect, lambda, queue }) => {
    lambda.answer = () => {
      throw new Error('out of luck');
    };
    await queue.send(['a', 'b']);
    queue.map(workerOf(lambda));

    await eventually(() =>
      expect(queue.reports).toMatchObject([{ kind: 'batch failed', reason: 'Error: out of luck' }]),
    );
    expect(await queue.counts()).toEqual({ ready: 0, inFlight: 2 });
  });

  test('fails the whole batch when the function exceeds its time', async ({
    expect,
    lambda,
    queue,
  }) => {
    const never = Promise.withResolvers<void>();
    lambda.answer = () => never.promise;
    await queue.send(['a']);
    queue.map(workerOf(lambda, 50));

    await eventually(() =>
      expect(queue.reports).toMatchObject([
        { kind: 'batch failed', reason: 'worker timed out after 0.05 s' },
      ]),
    );
    expect(await queue.counts()).toEqual({ ready: 0, inFlight: 1 });
    never.resolve();
  });

  test('lets the current invocation finish when it is stopped', async ({
    expect,
    lambda,
    queue,
  }) => {
    const hold = Promise.withResolvers<void>();
    lambda.answer = () => hold.promise;
    const mapping = queue.map(workerOf(lambda));
    await queue.send(['a']);
    await eventually(() => expect(lambda.events).toHaveLength(1));

    const stopped = mapping.stop(5000);
    hold.resolve();
    await stopped;
    expect(await queue.counts()).toEqual(EMPTY);
  });

  test('stops after its grace period when an invocation does not finish', async ({
    expect,
    lambda,
    queue,
  }) => {
    const hold = Promise.withResolvers<void>();
    lambda.answer = () => hold.promise;
    const mapping = queue.map(workerOf(lambda));
    await queue.send(['a']);
    await eventually(() => expect(lambda.events).toHaveLength(1));

    await mapping.stop(50);
    expect(await queue.counts()).toEqual({ ready: 0, inFlight: 1 });
    hold.resolve();
  });

  test('gives back what it receives while it stops', async ({ expect, lambda, queue }) => {
    const mapping = queue.map(workerOf(lambda));
    const stopped = mapping.stop(5000);
    await queue.send(['a']);
    await stopped;
    expect(await queue.receivable()).toEqual(['a']);
    expect(lambda.events).toEqual([]);
  });
});

describe.concurrent('startEventSourceMapping with trouble in the queue', () => {
  test('delivers a failed message again after its visibility timeout, then gives it up', async ({
    expect,
    lambda,
    impatientQueue: queue,
  }) => {
    lambda.answer = () => {
      throw new Error('out of luck');
    };
    queue.map(workerOf(lambda));
    await queue.send(['a']);

    await eventually(async () => expect(await queue.deadLetters()).toEqual(['a']), 10_000);
    expect(
      lambda.events.map(({ Records }) => Records[0]?.attributes.ApproximateReceiveCount),
    ).toEqual(['1', '2']);
  });

  test('tells an outage of the queue once, and goes on when it is over', async ({
    expect,
    lambda,
    emulator,
  }) => {
    const queue = await makeMappedQueue(emulator.url);
    queue.map(workerOf(lambda));

    await emulator.crash();
    await eventually(() => expect(queue.reports).toMatchObject([{ kind: 'queue unreachable' }]));
    await emulator.restart();
    await eventually(() =>
      expect(queue.reports.map(({ kind }) => kind)).toEqual([
        'queue unreachable',
        'queue reachable again',
      ]),
    );
    await queue.send(['a']);
    await eventually(() => expect(lambda.events).toHaveLength(1));

    await queue.remove();
  });

  test('makes the queues again when the emulator lost its data', async ({
    expect,
    lambda,
    emulator,
  }) => {
    const queue = await makeMappedQueue(emulator.url);
    queue.map(workerOf(lambda));

    await emulator.crash();
    await rm(join(emulator.directory, '.errand', 'sqs'), { recursive: true });
    await emulator.restart();
    await eventually(() =>
      expect(queue.reports.map(({ kind }) => kind)).toContain('queue reachable again'),
    );
    await queue.send(['a']);
    await eventually(() => expect(lambda.events).toHaveLength(1));

    await queue.remove();
  });

  test('deletes what it handled although the emulator was away in between', async ({
    expect,
    lambda,
    emulator,
  }) => {
    const queue = await makeMappedQueue(emulator.url);
    const hold = Promise.withResolvers<void>();
    lambda.answer = () => hold.promise;
    queue.map(workerOf(lambda));
    await queue.send(['a']);
    await eventually(() => expect(lambda.events).toHaveLength(1));

    await emulator.crash();
    hold.resolve();
    await emulator.restart();
    await eventually(async () => expect(await queue.counts()).toEqual(EMPTY), 10_000);
    expect(lambda.events).toHaveLength(1);

    await queue.remove();
  });
});
