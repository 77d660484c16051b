import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

const functions = useFunctions();
const ready = () => request('health-ready', anHttpEvent({ path: '/health/ready' }));
const live = () => request('health-live', anHttpEvent({ path: '/health/live' }));

afterEach(async () => {
  await functions.databaseWire.mend();
  await functions.queueWire.mend();
});

async function expectReady(): Promise<void> {
  await eventually(async () => {
    expect(await ready()).toMatchObject({
      status: 200,
      body: { status: 'ready', checks: { database: 'up', queue: 'up' } },
    });
  });
}

describe('GET /health/ready', () => {
  it('answers 200 when Postgres and the queue answer', expectReady);

  it.each([
    ['database', () => functions.databaseWire],
    ['queue', () => functions.queueWire],
  ])('answers 503 and names the %s while it is away, and 200 after', async (part, wire) => {
    await expectReady();
    await wire().cut();
    const answer = await ready();
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.body.detail).toBe(`Down: ${part}.`);
    expect(answer.body.checks).toEqual({ database: 'up', queue: 'up', [part]: 'down' });
    await wire().mend();
    await expectReady();
  });

  it('names both when both are away', async () => {
    await functions.databaseWire.cut();
    await functions.queueWire.cut();
    expect((await ready()).body.detail).toBe('Down: database, queue.');
  });

  it('waits no longer than three seconds for a part that says nothing', async () => {
    await expectReady();
    functions.databaseWire.hang();
    const asked = performance.now();
    expect((await ready()).body.checks).toEqual({ database: 'down', queue: 'up' });
    expect(performance.now() - asked).toBeLessThan(3000);
  });

  it('answers 503 while the tables are not there yet', async () => {
    const { sql } = functions.database;
    await sql`alter table errand.tasks rename to tasks_not_yet`;
    expect((await ready()).body.checks).toEqual({ database: 'down', queue: 'up' });
    await sql`alter table errand.tasks_not_yet rename to tasks`;
  });
});

describe('GET /health/live', () => {
  it('answers 200, whatever is away', async () => {
    await functions.databaseWire.cut();
    await functions.queueWire.cut();
    expect(await live()).toMatchObject({ status: 200, body: { status: 'live' } });
  });
});
