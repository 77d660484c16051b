import { readFile } from 'node:fs/promises';
import { anyPort, checkOut } from '../test/e2e/local-stack.ts';
import { startRabbit } from '../test/support/servers.ts';

/** A running errand. */
export interface System {
  readonly name: string;
  /** Of its tasks. */
  readonly api: string;
  readonly metrics: string;
  /** Processor time that the process with the functions has had, in milliseconds. */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

/** One that runs already; its processor time is not known. */
export function givenSystem(url: string): System {
  return { name: 'given', ...urlsOf(url), cpuMs: async () => Number.NaN, stop: async () => {} };
}

/** @throws where the queue is none of those that there are */
export async function startSystem(
  queue: string,
  name = queue,
  settings: Readonly<Record<string, string>> = {},
): Promise<System> {
  if (queue !== 'sqs' && queue !== 'rabbitmq') throw new Error('--queue is sqs, rabbitmq or both');
  const broker = queue === 'rabbitmq' ? await startRabbit() : undefined;
  const checkout = await checkOut();
  const stack = checkout.start(await anyPort(), {
    ...settings,
    ...(broker && { QUEUE: 'rabbitmq', RABBITMQ_URL: broker.url }),
  });
  await stack.ready();
  return {
    name,
    ...urlsOf(stack.url),
    cpuMs: async () => cpuMsOf(await checkout.pidOf('functions')),
    async stop() {
      stack.child.kill('SIGTERM');
      await stack.ended;
      await checkout.remove();
      await broker?.close();
    },
  };
}

/** Linux counts it in hundredths of a second: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function urlsOf(url: string) {
  return { api: `${url}/api/tasks`, metrics: `${url}/metrics` };
}
