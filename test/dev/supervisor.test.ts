import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Part,
  type PartEvent,
  RESTART_POLICY,
  type RestartPolicy,
  type Supervised,
  supervise,
} from '../../dev/supervisor.ts';
import { eventually } from '../support/eventually.ts';

const QUICK: RestartPolicy = { ...RESTART_POLICY, firstDelayMs: 10 };

/** Says that it is ready, then does what the rest of the program says. */
const READY = 'console.log("ready");';
const FOREVER = 'setInterval(() => {}, 1000);';

function partOf(program: string, overrides: Partial<Part> = {}): Part {
  return {
    name: 'part',
    stopSignal: 'SIGTERM',
    stopGraceMs: 5000,
    launch: () =>
      spawn(process.execPath, ['--eval', program], {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    ready: (child, signal) =>
      new Promise((resolve, reject) => {
        child.stdout?.on('data', (text) => {
          if (String(text).includes('ready')) resolve('here');
        });
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    ...overrides,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('supervise', () => {
  let events: PartEvent[];
  let running: Supervised;

  function start(part: Part, policy = QUICK): Supervised {
    events = [];
    running = supervise(part, (event) => events.push(event), policy);
    return running;
  }
  const kinds = () => events.map(({ kind }) => kind).filter((kind) => kind !== 'line');
  const pids = () => events.flatMap((event) => (event.kind === 'launched' ? [event.pid] : []));

  afterEach(async () => {
    running.kill();
    await running.stop();
  });

  it('tells when the part is ready, and its output', async () => {
    await start(partOf(`${READY} console.error("and well"); ${FOREVER}`)).ready;
    await eventually(() =>
      expect(events).toEqual(
        expect.arrayContaining([
          { kind: 'launched', pid: expect.any(Number) },
          { kind: 'ready', tookMs: expect.any(Number), detail: 'here' },
          { kind: 'line', line: 'ready' },
          { kind: 'line', line: 'and well' },
        ]),
      ),
    );
  });

  it('starts a part again that was killed', async () => {
    await start(partOf(`${READY} ${FOREVER}`)).ready;
    process.kill(pids()[0] as number, 'SIGKILL');

    await eventually(() =>
      expect(kinds()).toEqual(['launched', 'ready', 'crashed', 'launched', 'ready']),
    );
    expect(events).toContainEqual({
      kind: 'crashed',
      how: 'was ended by SIGKILL',
      restartInMs: 10,
      lastLines: ['ready'],
    });
  });

  it('waits longer each time, and gives a part up that keeps crashing', async () => {
    await start(
      partOf(`${READY} setTimeout(() => { console.error("alas"); process.exit(3); }, 100);`),
    ).ready;
    await eventually(() => expect(kinds()).toContain('gave up'), 10_000);

    expect(
      events.flatMap((event) => (event.kind === 'crashed' ? [event.restartInMs] : [])),
    ).toEqual([10, 20, 40, 80]);
    expect(events.at(-1)).toEqual({
      kind: 'gave up',
      how: 'ended with exit code 3',
      lastLines: ['ready', 'alas'],
    });
  });

  it('forgives crashes that are long ago', async () => {
    const policy = { ...QUICK, forgivenAfterMs: 1, crashes: 2 };
    await start(partOf(`${READY} setTimeout(() => process.exit(1), 50);`), policy).ready;
    await eventually(() => expect(pids().length).toBeGreaterThan(3), 10_000);
    expect(kinds()).not.toContain('gave up');
  });

  it('gives a part up sooner that was never ready', async () => {
    const { ready } = start(partOf('console.error("no such option"); process.exit(1);'));
    await expect(ready).rejects.toThrow('part ended with exit code 1');
    expect(kinds()).toEqual(['launched', 'crashed', 'launched', 'gave up']);
  });

  it('gives a part up that cannot be started', async () => {
    const launch = () => spawn('/no/such/program');
    const { ready } = start(partOf('', { launch }));
    await expect(ready).rejects.toThrow('part could not be started: spawn /no/such/program ENOENT');
  });

  it('kills a part that is not ready in time', async () => {
    const { ready } = start(partOf(FOREVER), { ...QUICK, readyWithinMs: 200 });
    await expect(ready).rejects.toThrow(
      'part was not ready: The operation was aborted due to timeout',
    );
    expect(pids().map(isAlive)).toEqual([false, false]);
  });

  it('gives a part up that is late again and again, however long that takes', async () => {
    const policy = { ...QUICK, readyWithinMs: 100, forgivenAfterMs: 100 };
    const { ready } = start(partOf(FOREVER), policy);
    await expect(ready).rejects.toThrow('part was not ready');
    expect(kinds()).toEqual(['launched', 'crashed', 'launched', 'gave up']);
  });

  it('starts a part again that runs but can serve no more, with time to end', async () => {
    const goodbye = 'process.on("SIGTERM", () => { console.log("goodbye"); process.exit(0); });';
    let launched = 0;
    const part = partOf(`${goodbye} ${READY} ${FOREVER}`, {
      broken: () => (++launched === 1 ? Promise.resolve('lost its socket') : new Promise(() => {})),
    });
    await start(part).ready;
    await eventually(() =>
      expect(kinds()).toEqual(['launched', 'ready', 'crashed', 'launched', 'ready']),
    );
    expect(events).toContainEqual({ kind: 'line', line: 'goodbye' });
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'crashed', how: 'lost its socket' }),
    );
  });

  it('gives a part up that can never serve for long', async () => {
    const part = partOf(`${READY} ${FOREVER}`, { broken: async () => 'lost its socket' });
    await start(part).ready;
    await eventually(() => expect(kinds()).toContain('gave up'), 10_000);
    expect(pids()).toHaveLength(QUICK.crashes);
  });

  it('asks a part to stop, and lets it', async () => {
    const goodbye = 'process.on("SIGTERM", () => { console.log("goodbye"); process.exit(0); });';
    await start(partOf(`${goodbye} ${READY} ${FOREVER}`)).ready;
    await running.stop();

    expect(events).toContainEqual({ kind: 'line', line: 'goodbye' });
    expect(kinds()).toEqual(['launched', 'ready']);
  });

  it('kills a part that does not stop within its grace period', async () => {
    const deaf = 'process.on("SIGTERM", () => {});';
    await start(partOf(`${deaf} ${READY} ${FOREVER}`, { stopGraceMs: 50 })).ready;
    await running.stop();
    expect(pids().map(isAlive)).toEqual([false]);
  });

  it('leaves nothing behind of what the part started', async () => {
    const child = `require('node:child_process').spawn(process.execPath, ['--eval', '${FOREVER}'])`;
    await start(partOf(`console.log("child", ${child}.pid); ${READY} ${FOREVER}`)).ready;
    const grandchild = await eventually(() => {
      const line = events.find((event) => event.kind === 'line' && event.line.startsWith('child'));
      return Number((line as { line: string }).line.split(' ')[1]);
    });
    expect(isAlive(grandchild)).toBe(true);

    await running.stop();
    await eventually(() => expect(isAlive(grandchild)).toBe(false));
  });

  it('does not start a part again that ended because it was asked to', async () => {
    await start(partOf(`${READY} ${FOREVER}`)).ready;
    await running.stop();
    await running.stop();
    expect(kinds()).toEqual(['launched', 'ready']);
  });
});
