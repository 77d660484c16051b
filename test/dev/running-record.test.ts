import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalState, openLocalState } from '../../dev/local-state.ts';
import { identify } from '../../dev/processes.ts';
import { endLeftovers, readRunning, recordRunning } from '../../dev/running-record.ts';

const FILE = 'running.json';

describe('the running record', () => {
  let project: string;
  let state: LocalState;
  let child: ChildProcess;
  let pid: number;

  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'errand-running-'));
    state = openLocalState(project);
    child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { detached: true });
    await once(child, 'spawn');
    pid = child.pid as number;
  });
  afterEach(async () => {
    child.kill('SIGKILL');
    await rm(project, { recursive: true, force: true });
  });
  const runs = () => identify(pid) !== undefined;

  it('names a start that runs, and none that does not', () => {
    recordRunning(state, 'http://localhost:3500');
    expect(readRunning(state)).toMatchObject({ pid: process.pid, url: 'http://localhost:3500' });

    const record = state.read<object>(FILE);
    state.write(FILE, { ...record, started: 'another boot 17' });
    expect(readRunning(state)).toBeUndefined();

    recordRunning(state, 'http://localhost:3500').clear();
    expect(readRunning(state)).toBeUndefined();
  });

  it('ends a part that was left running', async () => {
    recordRunning(state, '').add('queue', pid, 'SIGTERM');
    expect(await endLeftovers(state)).toBe(1);
    expect(runs()).toBe(false);
  });

  it('ends what it can read although the rest is damaged', async () => {
    const part = { ...identify(pid), stopSignal: 'SIGTERM' };
    state.write(FILE, { parts: { postgres: null, queue: part } });
    expect(await endLeftovers(state)).toBe(1);
    expect(runs()).toBe(false);
  });

  it.each([
    'not JSON',
    'null',
    '[]',
    '{"parts": null}',
    '{"parts": {"queue": null}}',
    '{"parts": {"queue": {"pid": 3999999}}}',
    '{"parts": {"queue": {"pid": 3999999, "stopSignal": "SIGTERM"}}}',
    '{"parts": {"queue": {"pid": 0, "started": "", "stopSignal": "SIGTERM"}}}',
    '{"parts": {"queue": {"pid": -1, "started": "x", "stopSignal": "SIGTERM"}}}',
    '{"parts": {"queue": {"pid": PID, "stopSignal": "SIGTERM"}}}',
    '{"parts": {"queue": {"pid": PID, "started": "x", "stopSignal": "SIGTERM"}}}',
    '{"parts": {"queue": {"pid": PID, "started": STARTED, "stopSignal": "SIGNONE"}}}',
  ])('signals nobody on the word of %s', async (text) => {
    state.write(
      FILE,
      text.replace('PID', String(pid)).replace('STARTED', JSON.stringify(identify(pid)?.started)),
    );
    expect(await endLeftovers(state)).toBe(0);
    expect(readRunning(state)).toBeUndefined();
    expect(runs()).toBe(true);
  });
});
