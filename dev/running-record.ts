import type { LocalState } from './local-state.ts';
import { end, identify, isRunning, type ProcessIdentity } from './processes.ts';

const FILE = 'running.json';
/** For a part that its supervisor left behind. */
const LEFTOVER_GRACE_MS = 3000;

/** What runs, for the next start: to name us while we live, and to end what we leave when killed. */
interface RunningRecord {
  readonly pid: number;
  readonly url: string;
  readonly parts: Readonly<
    Record<string, ProcessIdentity & { readonly stopSignal: NodeJS.Signals }>
  >;
}

export interface RunningRecorder {
  /** Remembers the process of a part; a restarted part replaces its last one. */
  add(name: string, pid: number, stopSignal: NodeJS.Signals): void;
  /** Nothing runs any more. */
  clear(): void;
}

export function readRunning(state: LocalState): RunningRecord | undefined {
  return state.read<RunningRecord>(FILE);
}

export function recordRunning(state: LocalState, url: string): RunningRecorder {
  let record: RunningRecord = { pid: process.pid, url, parts: {} };
  state.write(FILE, record);
  return {
    add(name, pid, stopSignal) {
      const identity = identify(pid);
      if (identity === undefined) return;
      record = { ...record, parts: { ...record.parts, [name]: { ...identity, stopSignal } } };
      state.write(FILE, record);
    },
    clear: () => state.write(FILE, {}),
  };
}

/**
 * Ends what a killed start left running. Parts end by themselves when their supervisor dies; this
 * is for those that were stuck just then, or that run where the system cannot tell them.
 */
export async function endLeftovers(state: LocalState): Promise<number> {
  const parts = Object.values(readRunning(state)?.parts ?? {});
  const alive = parts.filter(isRunning);
  await Promise.all(alive.map((part) => end(part, part.stopSignal, LEFTOVER_GRACE_MS)));
  return alive.length;
}
