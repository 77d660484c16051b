import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A way to a server that can be cut while the server itself runs on for other tests. */
export interface TcpProxy {
  /** The same address by way of the proxy. */
  readonly url: string;
  /** Ends every connection and refuses new ones, as a server that has died does. */
  cut(): Promise<void>;
  /** Takes connections again, on the same port. */
  mend(): Promise<void>;
  /** Keeps connections open and takes new ones, but lets nothing through. */
  hang(): void;
  /** How many clients are connected. */
  clients(): number;
  close(): Promise<void>;
}

/** `delayMs` is how late what one side says reaches the other. */
export async function openProxy(target: string, { delayMs = 0 } = {}): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let clients = 0;
  let hanging = false;

  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const listen = async (at: number): Promise<Server> => {
    const server = createServer((near) => {
      track(near);
      clients += 1;
      near.once('close', () => {
        clients -= 1;
      });
      if (hanging) return;
      const far = connect(Number(port), hostname);
      track(far);
      far.on('close', () => near.destroy());
      near.on('close', () => far.destroy());
      near.pipe(later(delayMs)).pipe(far);
      far.pipe(later(delayMs)).pipe(near);
    });
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };

  let server = await listen(0);
  const { port: ownPort } = server.address() as AddressInfo;
  const url = new URL(target);
  url.host = `127.0.0.1:${ownPort}`;

  const cut = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
  return {
    url: target.endsWith('/') ? url.href : url.href.replace(/\/$/, ''),
    cut,
    async mend() {
      hanging = false;
      await cut();
      server = await listen(ownPort);
    },
    hang() {
      hanging = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    clients: () => clients,
    close: cut,
  };
}

function later(delayMs: number): Transform {
  return new Transform({
    highWaterMark: 1024 * 1024,
    transform: (chunk, _encoding, done) => void setTimeout(done, delayMs, null, chunk),
  });
}
