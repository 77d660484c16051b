import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** AuthenticationOk, ReadyForQuery: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const WELCOME = Buffer.from([...[0x52, 0, 0, 0, 8, 0, 0, 0, 0], ...[0x5a, 0, 0, 0, 5, 0x49]]);

/**
 * Takes one connection, and dies when asked the first thing on it: nobody listens there any more.
 * So does a server that is killed within milliseconds of its first answer.
 */
export async function startHalfDeadPostgres(): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(WELCOME);
      socket.once('data', () => {
        server.close();
        socket.destroy();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return `postgres://errand:secret@127.0.0.1:${port}/errand`;
}
