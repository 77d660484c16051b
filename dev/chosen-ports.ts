import { z } from 'zod';
import type { LocalState } from './local-state.ts';
import { freePort } from './ports.ts';

const FILE = 'ports.json';
const Port = z.int().min(1).max(65535).optional().catch(undefined);
const LastPorts = z.object({ postgres: Port, queue: Port }).catch({});

export interface ChosenPorts {
  readonly postgres: number;
  readonly queue: number;
}

/** The ports of the last start, as long as they are free: tools that were pointed at them stay right. */
export async function choosePorts(state: LocalState, apiPort: number): Promise<ChosenPorts> {
  const last = LastPorts.parse(state.read(FILE));
  const postgres = await freePortBut([apiPort], last.postgres);
  const queue = await freePortBut([apiPort, postgres], last.queue);
  const ports = { postgres, queue };
  state.write(FILE, ports);
  return ports;
}

/** A port may be free only because its owner has not been started yet. */
async function freePortBut(taken: readonly number[], preferred?: number): Promise<number> {
  for (;;) {
    const port = await freePort(taken.includes(preferred ?? 0) ? undefined : preferred);
    if (!taken.includes(port)) return port;
  }
}
