import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { processesWith } from '../../support/processes.ts';
import { type Host, marked, sharedPlaces } from './host.ts';

/** All of the host that no command may change. Two are equal when nothing was changed. */
export type Snapshot = Readonly<Record<string, string>>;

export function takeSnapshot(host: Host): Snapshot {
  const { folder, canary, mark } = host;
  const { mode, nlink, mtimeMs, uid } = statSync(canary, { throwIfNoEntry: false }) ?? {};
  const { pid } = host.victim();
  return {
    'a connection came in': String(host.visits()),
    'a file of the host has another content': read(canary),
    'a file of the host has another mode, time or owner': `${mode} ${nlink} ${mtimeMs} ${uid}`,
    'the folder of the host has other files': readdirSync(folder).sort().join(),
    'the folder of temporary files has others': readdirSync(tmpdir()).sort().join(),
    'a file was made in a place of the host': sharedPlaces
      .flatMap((place) => marked(place, mark))
      .join(),
    'a System V object was made': ['shm', 'sem', 'msg']
      .map((kind) => count(read(`/proc/sysvipc/${kind}`), `${host.ipcKey} `))
      .join(),
    'a socket of the host was made': count(read('/proc/net/unix'), mark),
    'a process was left': processesWith(`${mark}-left`).join(),
    // Others may mount meanwhile: only what is on ours counts.
    'something is mounted on a folder of the host': count(read('/proc/self/mounts'), folder),
    'the name of the host is another': hostname(),
    'a switch of the kernel is another': read('/proc/sys/net/ipv4/ip_forward'),
    'the priority of the worker is another': stateOf(process.pid, false),
    'a process of the host was hurt': stateOf(pid, true),
  };
}

/** What was changed between the two, in words. */
export function changes(before: Snapshot, after: Snapshot): string[] {
  return Object.keys(before)
    .filter((what) => before[what] !== after[what])
    .map((what) => `${what} (${before[what]?.slice(-60)} -> ${after[what]?.slice(-60)})`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function count(text: string, part: string): string {
  return String(text.split(part).length - 1);
}

/** Alive and not stopped or traced, with its priority, limits and pending signals. */
function stateOf(pid: number, signals: boolean): string {
  const [state = 'gone', ...fields] = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  const status = read(`/proc/${pid}/status`);
  const watched = /^(TracerPid|Cpus_allowed|ShdPnd|SigPnd|SigIgn):.*$/gm;
  return [
    /[TtZX]/.test(state) || state === 'gone' ? 'hurt' : 'well',
    `nice ${fields[15]}`,
    read(`/proc/${pid}/oom_score_adj`).trim(),
    read(`/proc/${pid}/limits`).match(/open files.*/)?.[0],
    ...(signals ? (status.match(watched) ?? []) : []),
  ].join('; ');
}
