import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLocalState } from '../../dev/local-state.ts';
import { readRunning, readRunningParts } from '../../dev/running-record.ts';

/** Megabytes of memory of each part of a local errand. */
export interface MemorySample {
  readonly atMs: number;
  readonly mb: Readonly<Record<string, number>>;
}

/** Takes a sample. It walks the mappings of each process, which stops that one for a moment. */
export type SampleMemory = () => MemorySample['mb'];

/** Of the `npm start` of this project, when it is what answers at `url`. Linux only. */
export function findLocalServer(project: string, url: string): SampleMemory | undefined {
  // Opening makes the directory, and looking should not.
  if (process.platform !== 'linux' || !existsSync(join(project, '.errand'))) return undefined;
  const state = openLocalState(project);
  const running = readRunning(state);
  if (running === undefined || !isSameServer(running.url, url)) return undefined;
  // Looked up each time: a part that dies is started again, as another process.
  return () => sampleMemory({ supervisor: running.pid, ...readRunningParts(state) });
}

function isSameServer(its: string, asked: string): boolean {
  const [a, b] = [new URL(its), new URL(asked)];
  const isHere = ['localhost', '127.0.0.1', '[::1]', a.hostname].includes(b.hostname);
  return isHere && a.port === b.port;
}

/** `parts`: the process of each part, by its name. What its children use is counted with it. */
function sampleMemory(parts: Readonly<Record<string, number>>): MemorySample['mb'] {
  const children = childrenByParent();
  const others = new Set(Object.values(parts));
  const mb = Object.entries(parts).map(([name, pid]) => {
    const tree = descendants(pid, children, others);
    return [name, tree.reduce((sum, each) => sum + proportionalKb(each), 0) / 1024] as const;
  });
  return Object.fromEntries(mb);
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(entry);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), +entry]);
  }
  return children;
}

/** Field 4 of proc_pid_stat(5), behind the program's name, which may hold anything. */
function parentOf(pid: string): number | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === '' ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** A part that is a child of another one is counted by itself. */
function descendants(
  pid: number,
  children: ReadonlyMap<number, readonly number[]>,
  others: ReadonlySet<number>,
): number[] {
  const own = (children.get(pid) ?? []).filter((child) => !others.has(child));
  return [pid, ...own.flatMap((child) => descendants(child, children, others))];
}

/** Memory that several processes share counts as one share of it each: Postgres shares much. */
function proportionalKb(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
}

/** A process may be over by now, or somebody else's. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
