import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendSignal } from '../../../dev/processes.ts';
import { processesWith } from '../../support/processes.ts';

/** What a hostile command would like to get at: things of this host, made for it. */
export interface Host {
  /** In the name of everything that an attack makes, so that it can be found afterwards. */
  readonly mark: string;
  /** In the worker's environment, in its victim, in files. No command may ever tell it. */
  readonly secret: string;
  readonly workerPid: number;
  /** A folder of the host that anybody may write to, with a `canary` that anybody may write. */
  readonly folder: string;
  readonly canary: string;
  readonly tcpPort: number;
  readonly tcp6Port: number;
  readonly udpPort: number;
  readonly unixPath: string;
  readonly abstractName: string;
  /** Connections and datagrams that came, whoever sent them. */
  readonly visits: () => number;
  readonly victim: () => Victim;
  /** Key for System V memory, messages and semaphores. */
  readonly ipcKey: number;
  /** Commands run as the worker's own user, whose processes the kernel counts together. */
  readonly sharesUid: boolean;
  readonly repair: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A process of the worker's user, with the secret in everything that a process has. */
export interface Victim {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Where in its memory the secret is. */
  readonly address: string;
}

export const sharedPlaces = ['/tmp', '/var/tmp', '/dev/shm', '/run', '/run/lock', '/usr', '/etc'];

export async function openHost(tier: string): Promise<Host> {
  const secret = process.env.ERRAND_SECRET; // what we began with is what /proc shows
  if (!secret?.startsWith('secret-of-')) throw new Error('A worker needs a secret: ERRAND_SECRET');
  const mark = secret.replace('secret-of', 'errand-hostile');
  const folder = mkdtempSync(join(tmpdir(), 'host-'));
  chmodSync(folder, 0o777);
  const canary = join(folder, 'canary');
  writeFileSync(canary, secret);
  chmodSync(canary, 0o666);
  mkdirSync(join(folder, 'closed'), { mode: 0o700 });
  writeFileSync(join(folder, 'closed', 'canary'), secret);

  let visits = 0;
  const servers: (Server | Socket)[] = [];
  const listen = async (options: ListenOptions) => {
    const server = createServer((socket) => {
      visits += 1;
      socket.on('error', () => {}).destroy();
    });
    servers.push(server);
    await once(server.listen(options), 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const tcpPort = await listen({ host: '127.0.0.1', port: 0 });
  const tcp6Port = await listen({ host: '::1', port: 0 }).catch(() => 0);
  const unixPath = join(folder, 'socket');
  await listen({ path: unixPath, writableAll: true });
  await listen({ path: `\0${mark}` });
  const udp = createSocket('udp4').on('message', () => {
    visits += 1;
  });
  servers.push(udp);
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');

  const own = new Set(readdirSync(folder));
  let victim = await startVictim(secret, folder);
  return {
    mark,
    secret,
    workerPid: process.pid,
    folder,
    canary,
    tcpPort,
    tcp6Port,
    udpPort: udp.address().port,
    unixPath,
    abstractName: mark,
    visits: () => visits,
    victim: () => victim,
    ipcKey: 0x65_00_00_00 + (process.pid & 0xffff),
    sharesUid: tier === 'landlock' && process.getuid?.() !== 0,
    async repair() {
      for (const pid of processesWith(`${mark}-left`)) sendSignal(pid, 'SIGKILL');
      for (const name of readdirSync(folder).filter((name) => !own.has(name))) {
        rmSync(join(folder, name), { recursive: true, force: true });
      }
      victim.process.kill('SIGKILL');
      victim = await startVictim(secret, folder);
      writeFileSync(canary, secret);
      chmodSync(canary, 0o666);
    },
    async close() {
      victim.process.kill('SIGKILL');
      for (const server of servers) server.close();
      for (const place of sharedPlaces) {
        for (const name of marked(place, mark)) rmSync(join(place, name), { recursive: true });
      }
      // What an attack without a sandbox has mounted goes with the namespace that it is in.
      if (tier !== 'bare') rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The names in a folder that an attack has made. */
export function marked(place: string, mark: string): string[] {
  try {
    return readdirSync(place).filter((name) => name.includes(mark));
  } catch {
    return []; // not every host has every place
  }
}

async function startVictim(secret: string, folder: string): Promise<Victim> {
  const script = `open F, "+>", "${folder}/held"; syswrite F, $ENV{SECRET}; unlink "${folder}/held";
    $s = $ENV{SECRET}; $| = 1; print unpack("J", pack "P", $s), "\\n"; sleep 1 while 1`;
  const child = spawn('perl', ['-e', script, secret], {
    env: { SECRET: secret },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = await once(child.stdout, 'data');
  child.stdout.destroy();
  return { process: child, pid: child.pid ?? 0, address: String(line).trim() };
}
