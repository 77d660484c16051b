import { constants } from 'node:os';
import { z } from 'zod';
import type { LocalState } from './local-state.ts';
import { end, identify, isRunning } from './processes.ts';

const FILE = 'running.json';
/** For a part that its supervisor left behind. */
const LEFTOVER_GRACE_MS = 3000;

// Read strictly: what is signalled on a wrong word here may be anybody's process, or all of them.
const Identity = z.object({ pid: z.int().positive(), started: z.string().min(1) });
const RunningPart = Identity.extend({
  stopSignal: z.custom<NodeJS.Signals>((name) => String(name) in constants.signals),
});
const RunningRecord = Identity.extend({
  url: z.string(),
  parts: z.record(z.string(), z.unknown()),
});

/** What runs, for the next start: to name us while we live, and to end what we leave when killed. */
type RunningRecord = z.infer<typeof RunningRecord>;

export interface RunningRecorder {
  /** Remembers the process of a part; a restarted part replaces its last one. */
  add(name: string, pid: number, stopSignal: NodeJS.Signals): void;
  /** Nothing runs any more. */
  clear(): void;
}

/** The start that runs now, as it recorded itself; undefined when there is none, or no record. */
export function readRunning(state: LocalState): { pid: number; url: string } | undefined {
  const { data: record } = RunningRecord.safeParse(state.read(FILE));
  return record !== undefined && isRunning(record) ? record : undefined;
}

/** The processes of its parts, by name: those that live. */
export function readRunningParts(state: LocalState): Record<string, number> {
  if (readRunning(state) === undefined) return {};
  return Object.fromEntries(recordedParts(state).map(([name, { pid }]) => [name, pid]));
}

export function recordRunning(state: LocalState, url: string): RunningRecorder {
  let record: RunningRecord = {
    pid: process.pid,
    started: identify(process.pid)?.started ?? 'unknown',
    url,
    parts: {},
  };
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
  const alive = recordedParts(state);
  await Promise.all(alive.map(([, part]) => end(part, part.stopSignal, LEFTOVER_GRACE_MS)));
  return alive.length;
}

/** Those that live. */
function recordedParts(state: LocalState): [string, z.infer<typeof RunningPart>][] {
  const recorded = z
    .object({ parts: z.record(z.string(), z.unknown()) })
    .safeParse(state.read(FILE));
  return Object.entries(recorded.data?.parts ?? {}).flatMap(([name, recordedPart]) => {
    const { data: part } = RunningPart.safeParse(recordedPart);
    return part !== undefined && isRunning(part) ? [[name, part]] : [];
  });
}
