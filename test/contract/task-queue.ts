import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PickLetters, QueueUnavailable, type TaskQueue } from '../../lib/queue/task-queue.ts';
import { aTaskId } from '../support/a-task.ts';
import { eventually } from '../support/eventually.ts';

/** In what brokers differ, and a caller may notice. Everything else is the same. */
export interface QueueCapabilities {
  /** `depth` tells how many messages are being worked on. */
  readonly countsInFlight: boolean;
  /** Its connections end when it is closed; else when they have been idle for a while. */
  readonly closesConnections: boolean;
  /** A queue that is missing is made by whoever publishes. */
  readonly makesMissingQueues: boolean;
  /** What is no task message rests in the dead-letter queue after its first delivery. */
  readonly refusesStrangersAtOnce: boolean;
}

/** A message that was handed to a receiver. */
export interface Received {
  readonly body: unknown;
  readonly receiveCount: number;
  readonly traceparent: string | undefined;
  acknowledge(): Promise<void>;
  giveBack(): Promise<void>;
  /** The receiver is gone without a word. */
  abandon(): Promise<void>;
}

/** A queue of one adapter, with a real broker behind it. */
export interface QueueUnderTest {
  readonly queue: TaskQueue;
  /** The next message that is ready. */
  receive(): Promise<Received | undefined>;
  /** Takes messages over the connections that can be cut, until it is stopped. */
  consume(take: (body: unknown) => void): { stop(): Promise<void> };
  /** Takes all messages that are ready, and returns their bodies. */
  drain(): Promise<unknown[]>;
  purge(): Promise<void>;
  /** Puts any text into the queue, as somebody else may. */
  sendRaw(body: string): Promise<void>;
  /** Puts a message that the broker gave up on into the dead-letter queue. */
  giveUpOn(body: string, traceparent?: string): Promise<void>;
  /** Empties the dead-letter queue. */
  purgeDeadLetters(): Promise<void>;
  /** Ends all connections to the broker and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** The broker says nothing any more. */
  hang(): void;
  /** The same queue once more, over connections that are counted. */
  openAnother(): Promise<{ queue: TaskQueue; connections(): number; end(): Promise<void> }>;
  /** Another queue, which is not there. */
  openMissing(): Promise<TaskQueue>;
  close(): Promise<void>;
}

const all: PickLetters = async (letters) => letters;
/** Those with one of these texts for a body. */
const those =
  (...bodies: string[]): PickLetters =>
  async (letters) =>
    letters.filter(({ body }) => bodies.includes(body));

/** What every adapter of the queue port does. `skip` tells why it cannot be tested here. */
export function describeTaskQueue(
  name: string,
  capabilities: QueueCapabilities,
  open: () => Promise<QueueUnderTest>,
  skip?: string,
): void {
  describe.skipIf(skip)(`${name} (${JSON.stringify(capabilities)})`, () => {
    let test: QueueUnderTest;
    beforeAll(async () => {
      test = await open();
    });
    afterAll(() => test.close());
    beforeEach(async () => {
      await test.purge();
      await test.purgeDeadLetters();
    });
    afterEach(() => test.mend());

    const aMessage = () => ({ taskId: aTaskId(), delaySeconds: 0 });
    const bodyOf = ({ taskId }: { taskId: string }) => ({ taskId });

    it('delivers what was published, as a reference to the task and nothing else', async () => {
      const message = aMessage();
      await test.queue.publish([message]);
      expect(await test.drain()).toEqual([{ taskId: message.taskId }]);
    });

    it('delivers where a task comes from beside the body, also after a redrive', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const message = aMessage();
      await test.queue.publish([{ ...message, traceparent }]);
      const received = await eventually(async () => (await test.receive()) ?? expect.fail());
      expect(received).toMatchObject({ body: bodyOf(message), traceparent });
      await received.acknowledge();
      await test.giveUpOn(JSON.stringify(bodyOf(message)), traceparent);
      expect(await test.queue.redrive(all)).toBe(1);
      const again = await eventually(async () => (await test.receive()) ?? expect.fail());
      expect(again).toMatchObject({ body: bodyOf(message), traceparent });
      await again.acknowledge();
    });

    it('takes a thousand messages at once, and loses none', async () => {
      const messages = Array.from({ length: 1000 }, aMessage);
      await test.queue.publish(messages);
      const delivered = (await test.drain()) as { taskId: string }[];
      // At least once is the promise: a busy broker may get a batch twice.
      expect(new Set(delivered.map(({ taskId }) => taskId))).toEqual(
        new Set(messages.map(({ taskId }) => taskId)),
      );
    });

    it('takes no messages at all', async () => {
      await test.queue.publish([]);
      expect(await test.drain()).toEqual([]);
    });

    it('hides a message until its time has come', async () => {
      const message = { ...aMessage(), delaySeconds: 1 };
      await test.queue.publish([message]);
      expect(await test.drain()).toEqual([]);
      await eventually(async () => expect(await test.drain()).toEqual([bodyOf(message)]));
    });

    it('hides each message for its own time, whatever was sent before it', async () => {
      const delays = [600, 3, 0, 2, 1];
      const messages = delays.map((delaySeconds) => ({ ...aMessage(), delaySeconds }));
      const sentAt = performance.now();
      await test.queue.publish(messages);
      const arrived: { taskId: string; afterMs: number }[] = [];
      await eventually(async () => {
        const afterMs = performance.now() - sentAt;
        const bodies = (await test.drain()) as { taskId: string }[];
        arrived.push(...bodies.map(({ taskId }) => ({ taskId, afterMs })));
        expect(arrived).toHaveLength(4);
      }, 15_000);
      const expected = [...messages].sort((a, b) => a.delaySeconds - b.delaySeconds).slice(0, 4);
      expect(arrived.map(({ taskId }) => taskId)).toEqual(expected.map(({ taskId }) => taskId));
      for (const [seconds, { afterMs }] of arrived.entries()) {
        // When it was asked for comes before it was there; a broker's clock is coarse.
        expect(afterMs).toBeGreaterThan(seconds * 1000 - 250);
      }
      expect(await test.queue.depth()).toMatchObject({ ready: 0, delayed: 1 });
    });

    it('takes the longest delay that the relay asks for', async () => {
      await test.queue.publish([{ ...aMessage(), delaySeconds: 899.7 }]);
      expect(await test.queue.depth()).toMatchObject({ ready: 0, delayed: 1 });
    });

    it('counts what is ready, what is delayed, and perhaps what is being worked on', async () => {
      const inFlight = (count: number) => (capabilities.countsInFlight ? count : null);
      expect(await test.queue.depth()).toEqual({ ready: 0, inFlight: inFlight(0), delayed: 0 });
      await test.queue.publish([aMessage(), aMessage(), { ...aMessage(), delaySeconds: 600 }]);
      expect(await test.queue.depth()).toEqual({ ready: 2, inFlight: inFlight(0), delayed: 1 });
      const received = await test.receive();
      expect(await test.queue.depth()).toEqual({ ready: 1, inFlight: inFlight(1), delayed: 1 });
      await received?.acknowledge();
      await eventually(async () =>
        expect(await test.queue.depth()).toEqual({ ready: 1, inFlight: inFlight(0), delayed: 1 }),
      );
    });

    it('delivers a message again that nobody acknowledged, and counts', async () => {
      const message = aMessage();
      await test.queue.publish([message]);
      const lost = await test.receive();
      expect(lost).toMatchObject({ body: bodyOf(message), receiveCount: 1 });
      await lost?.abandon();
      const again = await eventually(async () => {
        const received = await test.receive();
        expect(received).toMatchObject({ body: bodyOf(message), receiveCount: 2 });
        return received;
      });
      await again?.acknowledge();
      expect(await test.receive()).toBeUndefined();
    });

    it('gives a message up after its fifth delivery', async () => {
      const message = aMessage();
      await test.queue.publish([message]);
      for (let delivery = 1; delivery <= 5; delivery++) {
        const received = await eventually(async () => {
          const next = await test.receive();
          expect(next).toMatchObject({ receiveCount: delivery });
          return next;
        });
        await received?.giveBack();
      }
      const [letter] = await eventually(async () => {
        expect(await test.receive()).toBeUndefined();
        const letters = await test.queue.deadLetters(10, all);
        expect(letters).toHaveLength(1);
        return letters;
      });
      expect(JSON.parse(letter?.body ?? '')).toEqual(bodyOf(message));
      expect(letter?.receiveCount).toBeGreaterThanOrEqual(5);
      expect(await test.queue.redrive(all, letter?.id)).toBe(1);
      expect(await test.receive()).toMatchObject({ body: bodyOf(message), receiveCount: 1 });
    });

    it('gives up what is no task message, at once or after as many deliveries', async () => {
      const consumer = test.consume(() => {
        throw new Error('not for us');
      });
      await test.sendRaw('not a message of ours');
      const [letter] = await eventually(async () => {
        const letters = await test.queue.deadLetters(10, all);
        expect(letters).toHaveLength(1);
        return letters;
      }, 15_000);
      await consumer.stop();
      expect(letter).toMatchObject({ body: 'not a message of ours' });
      if (capabilities.refusesStrangersAtOnce) expect(letter?.receiveCount).toBe(1);
      else expect(letter?.receiveCount).toBeGreaterThanOrEqual(5);
    });

    it('loses none of 10,000 messages while connections are cut at random', async () => {
      const messages = Array.from({ length: 10_000 }, aMessage);
      const missing = new Set<unknown>(messages.map(({ taskId }) => taskId));
      const consumer = test.consume((body) => missing.delete((body as { taskId: string }).taskId));
      const cutter = cutAtRandom(test);
      try {
        const batches = chunksOfTen(messages);
        const lane = async () => {
          for (const batch of batches) await stubbornly(() => test.queue.publish(batch));
        };
        await Promise.all(Array.from({ length: 8 }, lane));
        await eventually(() => expect(missing.size).toBeLessThan(2000), 60_000);
        expect(await cutter.stop()).toBeGreaterThan(0);
        await eventually(() => expect(missing.size).toBe(0), 60_000);
      } finally {
        await cutter.stop();
        await consumer.stop();
      }
    }, 240_000); // Twelve seconds on a machine that has nothing else to do.

    it('lets go of the broker when it is closed', async () => {
      const { queue: other, connections, end } = await test.openAnother();
      await other.publish([aMessage()]);
      expect(connections()).toBeGreaterThan(0);
      await other.close();
      if (capabilities.closesConnections) await eventually(() => expect(connections()).toBe(0));
      await other.close();
      await end();
    });

    it('says that it is unavailable when the broker is away, and is there again after', async () => {
      await test.cut();
      await expect(test.queue.publish([aMessage()])).rejects.toThrow(QueueUnavailable);
      await expect(test.queue.depth()).rejects.toThrow(QueueUnavailable);
      await expect(test.queue.deadLetters(10, all)).rejects.toThrow(QueueUnavailable);
      await expect(test.queue.countDeadLetters()).rejects.toThrow(QueueUnavailable);
      await expect(test.queue.redrive(all)).rejects.toThrow(QueueUnavailable);
      await test.mend();
      const message = aMessage();
      await test.queue.publish([message]);
      expect(await test.drain()).toEqual([bodyOf(message)]);
    });

    it('waits for a silent broker less than five seconds', async () => {
      test.hang();
      const asked = performance.now();
      await expect(test.queue.publish([aMessage()])).rejects.toThrow(QueueUnavailable);
      expect(performance.now() - asked).toBeLessThan(5000);
    });

    it('makes a queue that is missing, or says that it is unavailable', async () => {
      const missing = await test.openMissing();
      if (capabilities.makesMissingQueues) {
        await missing.publish([aMessage()]);
        expect(await missing.depth()).toMatchObject({ ready: 1 });
      } else {
        await expect(missing.publish([aMessage()])).rejects.toThrow(QueueUnavailable);
        await expect(missing.depth()).rejects.toThrow(QueueUnavailable);
      }
      await missing.close();
    });

    it('shows dead letters, and shows them again', async () => {
      await test.giveUpOn('not a message of ours');
      const [letter] = await test.queue.deadLetters(10, all);
      expect(letter).toMatchObject({ body: 'not a message of ours' });
      expect(letter?.sentAt.getTime()).toBeGreaterThan(Date.now() - 60_000);
      const [again] = await test.queue.deadLetters(10, all);
      expect(again?.id).toBe(letter?.id);
    });

    it('shows no more dead letters than asked for, and hides none of the others', async () => {
      for (let n = 0; n < 15; n++) await test.giveUpOn(`letter ${n}`);
      expect(await test.queue.deadLetters(3, all)).toHaveLength(3);
      expect(await test.queue.deadLetters(200, all)).toHaveLength(15);
      expect(await test.queue.countDeadLetters()).toBe(15);
    });

    it('sends all dead letters back', async () => {
      const messages = Array.from({ length: 25 }, () => bodyOf(aMessage()));
      for (const message of messages) await test.giveUpOn(JSON.stringify(message));
      expect(await test.queue.redrive(all)).toBe(25);
      expect(await test.drain()).toHaveLength(25);
      expect(await test.queue.deadLetters(10, all)).toEqual([]);
      expect(await test.queue.redrive(all)).toBe(0);
    });

    it('sends one dead letter back and leaves the others', async () => {
      for (const taskId of ['a', 'b', 'c']) await test.giveUpOn(JSON.stringify({ taskId }));
      const letters = await test.queue.deadLetters(10, all);
      const wanted = letters.find(({ body }) => body.includes('"b"'));
      expect(await test.queue.redrive(all, wanted?.id)).toBe(1);
      expect(await test.drain()).toEqual([{ taskId: 'b' }]);
      expect(await test.queue.deadLetters(10, all)).toHaveLength(2);
      expect(await test.queue.redrive(all, wanted?.id)).toBe(0);
    });

    it('shows the dead letters that are picked, wherever they are among the others', async () => {
      for (let n = 0; n < 25; n++) await test.giveUpOn(`letter ${n}`);
      const picked = await test.queue.deadLetters(10, those('letter 0', 'letter 12', 'letter 24'));
      const bodies = picked.map(({ body }) => body).sort();
      expect(bodies).toEqual(['letter 0', 'letter 12', 'letter 24']);
      expect(await test.queue.deadLetters(200, all)).toHaveLength(25);
    });

    it('sends back the dead letters that are picked, and leaves the others', async () => {
      for (let n = 0; n < 25; n++) await test.giveUpOn(`"letter ${n}"`);
      const pick = those('"letter 0"', '"letter 12"', '"letter 24"');
      expect(await test.queue.redrive(pick)).toBe(3);
      expect((await test.drain()).sort()).toEqual(['letter 0', 'letter 12', 'letter 24']);
      expect(await test.queue.deadLetters(200, all)).toHaveLength(22);
    });

    it('sends no dead letter back by its id that is not picked', async () => {
      await test.giveUpOn('"mine"');
      await test.giveUpOn('"not mine"');
      const letters = await test.queue.deadLetters(10, all);
      const idOf = (wanted: string) => letters.find(({ body }) => body === wanted)?.id;
      expect(await test.queue.redrive(those('"mine"'), idOf('"not mine"'))).toBe(0);
      expect(await test.queue.redrive(those('"mine"'), idOf('"mine"'))).toBe(1);
      expect(await test.drain()).toEqual(['mine']);
      expect(await test.queue.deadLetters(10, all)).toHaveLength(1);
    });

    it('hands dead letters back when picking fails, and passes the reason on', async () => {
      await test.giveUpOn('"letter"');
      const reason = new Error('the database is away');
      const fail: PickLetters = () => Promise.reject(reason);
      await expect(test.queue.deadLetters(10, fail)).rejects.toBe(reason);
      await expect(test.queue.redrive(fail)).rejects.toBe(reason);
      expect(await test.queue.deadLetters(10, all)).toHaveLength(1);
    });
  });
}

const MOST_CUTS = 20;

/** Ends all connections every now and then; answers how often. */
function cutAtRandom(test: QueueUnderTest): { stop(): Promise<number> } {
  const stopping = new AbortController();
  let cuts = 0;
  const cutting = (async () => {
    while (!stopping.signal.aborted && cuts < MOST_CUTS) {
      await delay(100 + Math.random() * 400);
      await test.cut();
      await test.mend();
      cuts += 1;
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await cutting;
      return cuts;
    },
  };
}

/** As the outbox does it, with less patience. */
async function stubbornly(publish: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await publish();
    } catch (error) {
      if (!(error instanceof QueueUnavailable)) throw error;
      await delay(10);
    }
  }
}

function* chunksOfTen<T>(items: readonly T[]): Generator<T[]> {
  for (let from = 0; from < items.length; from += 10) yield items.slice(from, from + 10);
}
