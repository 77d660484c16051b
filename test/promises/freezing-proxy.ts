import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server on which connections can go dead without a word, as when a host loses power. */
export interface FreezingProxy {
  /** The same address by way of the proxy. */
  readonly url: string;
  /** Nothing passes any more on the connections that are open now. New ones work. */
  freeze(): void;
  close(): Promise<void>;
}

export async function openFreezingProxy(target: string): Promise<FreezingProxy> {
  const url = new URL(target);
  const { hostname, port } = url;
  const open = new Set<Socket>();
  const track = (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  };
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) track(socket);
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    freeze() {
      for (const socket of open) socket.unpipe().pause();
    },
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}
