import fc, { type AsyncCommand } from 'fast-check';
import { expect } from 'vitest';
import { TaskEnded, TaskNotEnded } from '../../lib/tasks/errors.ts';
import type { OnWorkerLost, TaskId } from '../../lib/tasks/task.ts';
import { FAILED, SUCCEEDED } from './settlements.ts';
import type { Row, World } from './world.ts';

/** What a step may do to a task; the rest of its row stays as it was. */
type Change = Partial<Omit<Row, 'id'>>;

/** The world itself is the model: each step reads a row, acts, and compares with what it foretold. */
export type Step = AsyncCommand<object, World>;

function step(name: string, act: (world: World) => Promise<void>): Step {
  return {
    check: () => true,
    async run(_model, world) {
      await act(world);
      await world.check();
    },
    toString: () => name,
  };
}

/** Few, so that much happens to each. */
const MOST_TASKS = 3;

const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % items.length];

/** Foretells what becomes of one task, acts, and sees whether it came true; others must not change. */
async function expectOnly<T>(
  world: World,
  id: TaskId,
  foretell: (before: Row) => Change,
  act: () => Promise<T>,
): Promise<T> {
  const before = await world.rows();
  const answer = await act();
  const expected = before.map((row) => (row.id === id ? { ...row, ...foretell(row) } : row));
  expect((await world.rows()).map(lasting)).toEqual(expected.map(lasting));
  return answer;
}

/** What the passing of time alone does not change. */
const lasting = ({ due: _due, expired: _expired, ...row }: Row) => row;

const hasEnded = ({ status }: Row) => status !== 'queued' && status !== 'running';

const created = fc
  .record({
    maxAttempts: fc.constantFrom(1, 1, 2, 3),
    retryDelaySeconds: fc.constantFrom(0, 60),
    delaySeconds: fc.constantFrom(0, 0, 50, 1150),
    onWorkerLost: fc.constantFrom<OnWorkerLost>('rerun', 'rerun', 'fail'),
    dies: fc.boolean(),
  })
  .map(({ dies, ...fields }) =>
    step(`create${dies ? ' and die' : ''} ${JSON.stringify(fields)}`, async (world) => {
      if (world.tasks.length === MOST_TASKS) return;
      const id = await (dies ? world.createAndDie(fields) : world.create(fields));
      const { status, attempt, attemptsLeft } = await world.row(id);
      expect({ status, attempt, attemptsLeft }).toEqual({
        status: 'queued',
        attempt: 0,
        attemptsLeft: fields.maxAttempts,
      });
    }),
  );

const delivered = fc.record({ at: fc.nat(), again: fc.boolean() }).map(({ at, again }) =>
  step(`deliver message ${at}${again ? ', and keep it' : ''}`, async (world) => {
    const message = pick(world.visible(), at);
    if (message)
      await deliverAndCheck(world, () => world.deliver(message, { again }), message.taskId);
  }),
);

/** A message of long ago turns up once more. */
const strayDelivered = fc.nat().map((at) =>
  step(`deliver a stray message of task ${at}`, async (world) => {
    const taskId = pick(world.tasks, at);
    if (!taskId) return;
    const stray = { taskId, delaySeconds: 0, visibleAt: 0 };
    await deliverAndCheck(world, () => world.deliver(stray, { again: false }), taskId);
  }),
);

async function deliverAndCheck(world: World, deliver: () => Promise<unknown>, id: TaskId) {
  const before = await world.row(id);
  const claim = await deliver();
  const after = await world.row(id);
  if (claim) {
    // It may have become due in between, never the reverse.
    expect([before.status, after.due]).toEqual(['queued', true]);
    expect(lasting(after)).toEqual(
      lasting({ ...before, status: 'running', attempt: before.attempt + 1 }),
    );
  } else {
    expect(before.status === 'queued' && before.due).toBe(false);
    expect(lasting(after)).toEqual(lasting(before));
  }
}

const settled = fc.record({ at: fc.nat(), succeeds: fc.boolean() }).map(({ at, succeeds }) =>
  step(`attempt ${at} ${succeeds ? 'succeeds' : 'fails'}`, async (world) => {
    const claim = pick(world.held, at);
    if (!claim) return;
    const isMine = (row: Row) => row.status === 'running' && row.attempt === claim.attempt;
    const mine = isMine(await world.row(claim.taskId));
    const settlement = await expectOnly(
      world,
      claim.taskId,
      (before) => {
        if (!isMine(before)) return {};
        if (succeeds) return { status: 'succeeded' };
        if (before.attemptsLeft === 1 || before.cancelRequested) {
          return { status: 'failed', failureCode: 'nonzero_exit' };
        }
        return { status: 'queued', attemptsLeft: before.attemptsLeft - 1 };
      },
      () => world.settle(claim, succeeds ? SUCCEEDED : FAILED),
    );
    expect(settlement !== undefined).toBe(mine);
  }),
);

/** What becomes of a task whose attempt no worker brings to an end. */
function abandoned(before: Row, counts: boolean): Change {
  const losses = before.losses + (counts ? 1 : 0);
  if (before.cancelRequested) return { status: 'cancelled', losses };
  if (before.onWorkerLost === 'fail') {
    return { status: 'failed', failureCode: 'worker_lost', losses };
  }
  if (losses > 3) return { status: 'failed', failureCode: 'attempts_exhausted', losses };
  return { status: 'queued', losses };
}

const gaveBack = fc.nat().map((at) =>
  step(`the worker of attempt ${at} shuts down`, async (world) => {
    const claim = pick(world.held, at);
    if (!claim) return;
    await expectOnly(
      world,
      claim.taskId,
      (before) =>
        before.status === 'running' && before.attempt === claim.attempt
          ? abandoned(before, false)
          : {},
      () => world.giveBack(claim),
    );
  }),
);

const crashed = fc.nat().map((at) =>
  step(`the worker of attempt ${at} dies`, async (world) => {
    const claim = pick(world.held, at);
    if (claim) world.vanish(claim);
  }),
);

/** What it takes four times in a row to exhaust a task, and what makes the attempt a stale one. */
const lostAndRescued = fc.record({ at: fc.nat(), dies: fc.boolean() }).map(({ at, dies }) =>
  step(
    `attempt ${at} is lost${dies ? '' : ', though its worker lives'}, and rescued`,
    async (world) => {
      const claim = pick(world.held, at);
      if (!claim) return;
      if (dies) world.vanish(claim);
      await world.passTime(100);
      await rescueAndCheck(world);
    },
  ),
);

const renewed = fc.nat().map((at) =>
  step(`attempt ${at} renews its lease`, async (world) => {
    const claim = pick(world.held, at);
    if (!claim) return;
    const before = await world.row(claim.taskId);
    const lease = await world.leaseOf(claim.taskId);
    const mine = before.status === 'running' && before.attempt === claim.attempt;
    expect(
      await expectOnly(
        world,
        claim.taskId,
        () => ({}),
        () => world.renew(claim),
      ),
    ).toBe(mine);
    const after = await world.leaseOf(claim.taskId);
    if (mine) expect((await world.row(claim.taskId)).expired).toBe(false);
    else expect(after).toEqual(lease);
  }),
);

const cancelled = fc.nat().map((at) =>
  step(`cancel task ${at}`, async (world) => {
    const id = pick(world.tasks, at);
    if (!id) return;
    await expectOnly(
      world,
      id,
      (before) => {
        if (hasEnded(before)) return {};
        const status = before.status === 'queued' ? 'cancelled' : 'running';
        return { status, cancelRequested: true };
      },
      async () => {
        const ended = hasEnded(await world.row(id));
        if (ended) await expect(world.cancel(id)).rejects.toThrow(TaskEnded);
        else await world.cancel(id);
      },
    );
  }),
);

const retried = fc.nat().map((at) =>
  step(`retry task ${at}`, async (world) => {
    const id = pick(world.tasks, at);
    if (!id) return;
    await expectOnly(
      world,
      id,
      (before) =>
        hasEnded(before)
          ? {
              status: 'queued',
              attemptsLeft: 1,
              losses: 0,
              failureCode: null,
              cancelRequested: false,
            }
          : {},
      async () => {
        const ended = hasEnded(await world.row(id));
        if (ended) await world.retry(id);
        else await expect(world.retry(id)).rejects.toThrow(TaskNotEnded);
      },
    );
  }),
);

const timePassed = fc
  .constantFrom(100, 100, 1000)
  .map((seconds) => step(`${seconds} s pass`, (world) => world.passTime(seconds)));

const relayed = fc.constant(
  step('relay', async (world) => {
    const before = await world.rows();
    await world.relay().catch(onlyWhenDown(world));
    expect((await world.rows()).map(lasting)).toEqual(before.map(lasting));
  }),
);

const rescued = fc.constant(step('rescue', rescueAndCheck));

async function rescueAndCheck(world: World): Promise<void> {
  const before = await world.rows();
  await world.rescue().catch(onlyWhenDown(world));
  const expected = before.map((row) => (row.expired ? { ...row, ...abandoned(row, true) } : row));
  expect((await world.rows()).map(lasting)).toEqual(expected.map(lasting));
}

const onlyWhenDown = (world: World) => (error: unknown) => {
  if (!world.queueIsDown) throw error;
};

const purged = fc.constant(
  step('the queue loses everything', async (world) => {
    world.messages = [];
  }),
);

const queueFlipped = fc.constantFrom(true, false, false).map((down) =>
  step(`the queue is ${down ? 'down' : 'up'}`, async (world) => {
    world.queueIsDown = down;
  }),
);

const often = <T>(times: number, step: T): T[] => Array.from({ length: times }, () => step);

/** Everything that can happen, so weighted that all transitions come up, stale attempts included. */
export const anyStep: fc.Arbitrary<Step>[] = [
  ...often(4, created),
  ...often(10, delivered),
  ...often(6, strayDelivered),
  ...often(4, settled),
  ...often(4, lostAndRescued),
  ...often(2, timePassed),
  ...often(2, relayed),
  ...often(2, retried),
  rescued,
  gaveBack,
  crashed,
  renewed,
  cancelled,
  purged,
  queueFlipped,
];
