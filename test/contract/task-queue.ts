import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PickLetters, QueueUnavailable, type TaskQueue } from '../../lib/queue/task-queue.ts';
import { aTaskId } from '../support/a-task.ts';
import { eventually } from '../support/eventually.ts';

/** A queue of one adapter, with a real broker behind it. */
export interface QueueUnderTest {
  readonly queue: TaskQueue;
  /** Takes all messages that are ready, and returns their bodies. */
  drain(): Promise<unknown[]>;
  purge(): Promise<void>;
  /** Puts a message that the broker gave up on into the dead-letter queue. */
  giveUpOn(body: string): Promise<void>;
  /** Empties the dead-letter queue. */
  purgeDeadLetters(): Promise<void>;
  /** Ends all connections to the broker and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** The broker says nothing any more. */
  hang(): void;
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

/** What every adapter of the queue port does. */
export function describeTaskQueue(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(name, () => {
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

    it('takes the longest delay that the relay asks for', async () => {
      await test.queue.publish([{ ...aMessage(), delaySeconds: 899.7 }]);
      expect(await test.queue.depth()).toMatchObject({ ready: 0, delayed: 1 });
    });

    it('counts what is ready and what is delayed', async () => {
      expect(await test.queue.depth()).toEqual({ ready: 0, inFlight: 0, delayed: 0 });
      await test.queue.publish([aMessage(), aMessage(), { ...aMessage(), delaySeconds: 600 }]);
      expect(await test.queue.depth()).toEqual({ ready: 2, inFlight: 0, delayed: 1 });
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

    it('says that it is unavailable when there is no such queue', async () => {
      const missing = await test.openMissing();
      await expect(missing.publish([aMessage()])).rejects.toThrow(QueueUnavailable);
      await expect(missing.depth()).rejects.toThrow(QueueUnavailable);
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
