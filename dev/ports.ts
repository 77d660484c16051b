import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Why a port cannot be listened on, as the system says it; undefined when it can. */
export async function whyTaken(host: string, port: number): Promise<string | undefined> {
  try {
    await listenOnce(host, port);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** The preferred port when it is free, otherwise any free one. On 127.0.0.1. */
export async function freePort(preferred: number | undefined): Promise<number> {
  if (preferred !== undefined && (await whyTaken('127.0.0.1', preferred)) === undefined) {
    return preferred;
  }
  return listenOnce('127.0.0.1', 0);
}

async function listenOnce(host: string, port: number): Promise<number> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  const { port: listening } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return listening;
}
