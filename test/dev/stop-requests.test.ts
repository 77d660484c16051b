import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';

const MODULE = JSON.stringify(new URL('../../dev/stop-requests.ts', import.meta.url).href);

/** Tells what it hears, in a process of its own: the test's own signals are not ours to take. */
const PROGRAM = `
  const { watchStopRequests } = await import(${MODULE});
  const { requested, again } = watchStopRequests();
  requested.then(() => {
    console.log('requested');
    process.stdin.on('end', () => process.exit(1)).resume(); // Then nobody listens any more.
  });
  again.then(() => { console.log('again'); process.exit(0); });
  setInterval(() => {}, 1000);
  console.log('watching');
`;

async function watch() {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM]);
  let output = '';
  child.stdout.on('data', (bytes) => {
    output += bytes;
  });
  await eventually(() => expect(output).toBe('watching\n'));
  return { child, output: () => output };
}

describe('watchStopRequests', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('hears %s', async (signal) => {
    const { child, output } = await watch();
    child.kill(signal);
    await eventually(() => expect(output()).toBe('watching\nrequested\n'));
    child.kill('SIGKILL');
  });

  it('takes a signal that arrives twice for one request, and a later one for another', async () => {
    const { child, output } = await watch();
    child.kill('SIGINT');
    child.kill('SIGTERM');
    await eventually(() => expect(output()).toBe('watching\nrequested\n'));

    const exited = once(child, 'exit');
    // Until it is late enough to be another request.
    await eventually(() => {
      child.kill('SIGINT');
      expect(output()).toBe('watching\nrequested\nagain\n');
    });
    expect(await exited).toEqual([0, null]);
  });

  it('hears that the bootstrap is gone', async () => {
    const bootstrap = spawn(process.execPath, [
      '--eval',
      `const { spawn } = require('node:child_process');
       spawn(process.execPath, ['--input-type=module', '--eval', ${JSON.stringify(PROGRAM)}], {
         stdio: 'inherit',
         env: { ...process.env, ERRAND_BOOTSTRAP_PID: String(process.pid) },
       });`,
    ]);
    let output = '';
    bootstrap.stdout.on('data', (bytes) => {
      output += bytes;
    });
    await eventually(() => expect(output).toBe('watching\n'));
    bootstrap.kill('SIGKILL');
    await eventually(() => expect(output).toBe('watching\nrequested\n'));
  });
});
