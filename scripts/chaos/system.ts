import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openLocalState } from '../../dev/local-state.ts';
import { freePort } from '../../dev/ports.ts';
import { databaseUrl } from '../../dev/postgres.ts';
import type { Progress } from '../../dev/progress.ts';
import { readSettings } from '../../dev/settings.ts';
import { type Stack, startStack } from '../../dev/stack.ts';
import { RESTART_POLICY } from '../../dev/supervisor.ts';
import { connect, type Sql } from '../../lib/db/connection.ts';

/** The API, the worker and the schedules share a process; so killing it kills them all. */
export const PARTS = ['functions', 'queue', 'postgres'] as const;
export type PartName = (typeof PARTS)[number];

/** All of errand, as `npm start` brings it up, with data and ports of its own. */
export interface System {
  readonly url: string;
  readonly sql: Sql;
  /** Whatever process this text shows in belongs to the system. */
  readonly directory: string;
  /** The process of a part that is ready now; undefined while it is starting. */
  pidOf(part: PartName): number | undefined;
  /** SIGKILL to a part that is ready, or false. */
  kill(part: PartName): boolean;
  ready(part: PartName): Promise<void>;
  stop(): Promise<void>;
}

/** @throws when it does not come up. */
export async function startSystem(): Promise<System> {
  const directory = await mkdtemp(join(tmpdir(), 'errand-chaos-'));
  const project = dirname(dirname(import.meta.dirname));
  const state = openLocalState(directory);
  const port = await freePort(undefined);
  const pids = new Map<string, number>();
  const ready = new Map<string, number>();

  const stack: Stack = startStack({
    project,
    state,
    settings: readSettings({ PORT: String(port) }),
    recorder: { add: (name, pid) => pids.set(name, pid), clear() {} },
    progress: quietProgress(
      (name) => {
        const pid = pids.get(name);
        if (pid !== undefined) ready.set(name, pid);
      },
      (name) => ready.delete(name),
    ),
    restartPolicy: { ...RESTART_POLICY, crashes: 1000, forgivenAfterMs: 0 },
  });
  try {
    await stack.ready;
  } catch (error) {
    await stack.stop();
    await rm(directory, { recursive: true });
    throw error;
  }

  const { postgres } = state.read<{ postgres: number }>('ports.json') ?? { postgres: 0 };
  const password = state.secret('postgres-password');
  const sql = connect({
    url: databaseUrl({ port: postgres, password }),
    poolMax: 4,
    prepare: true,
  });
  return {
    url: `http://127.0.0.1:${port}`,
    sql,
    directory,
    pidOf: (part) => ready.get(part),
    kill(part) {
      const pid = ready.get(part);
      if (pid === undefined) return false;
      ready.delete(part);
      process.kill(pid, 'SIGKILL');
      return true;
    },
    async ready(part) {
      while (!ready.has(part)) await delay(50);
    },
    async stop() {
      await sql.end({ timeout: 1 });
      await stack.stop();
      await rm(directory, { recursive: true });
    },
  };
}

function quietProgress(
  onReady: (name: string) => void,
  onCrashed: (name: string) => void,
): Progress {
  return {
    part(name, event) {
      if (event.kind === 'ready') onReady(name);
      if (event.kind === 'crashed' || event.kind === 'gave up') onCrashed(name);
      if (event.kind === 'line' && process.env.CHAOS_LOG) console.error(`${name}: ${event.line}`);
    },
    step: async (_name, _state, run) => {
      await run();
    },
    waiting() {},
    done() {},
    missing(_name, advice) {
      console.error(advice);
    },
    note() {},
    ready() {},
    stopping() {},
  };
}
