import { Socket } from 'node:net';

/** Where postgres.js is to connect: it allows several hosts, of which the first one up serves. */
interface Target {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false;
}

/**
 * A socket that closes without an `error` event once the server has said something. On a reset Node
 * emits `error` first and `close` a moment later, and a query that postgres.js 3.4.9 gives to the
 * connection in between is never answered: or, worse, it is answered with nothing, or with the rows
 * of another query, once the connection has been made anew. With `close` alone it fails as it should.
 * https://github.com/porsager/postgres/pull/1215
 */
class QuietSocket extends Socket {
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(this.bytesRead > 0 ? null : error, callback);
  }
}

/** For the option `socket` of postgres.js. What is written before the socket is connected waits. */
export function makeQuietSockets(): (target: Target) => Socket {
  let next = 0;
  return ({ host, port, path }) => {
    const socket = new QuietSocket();
    const at = next++ % host.length;
    // postgres.js takes the name for TLS from here.
    Object.assign(socket, { host: host[at], port: port[at] });
    if (path) socket.connect(path);
    else socket.connect(port[at] ?? 5432, host[at] ?? 'localhost');
    return socket;
  };
}
