import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { inject } from 'vitest';

export interface TlsPostgres {
  readonly port: number;
  /** The certificate of `localhost`, which signs itself, for NODE_EXTRA_CA_CERTS. */
  readonly certificate: string;
  close(): void;
}

/** TLS as Postgres begins it, in front of a server that has none. */
export async function serveTls(databaseUrl: string): Promise<TlsPostgres> {
  const folder = mkdtempSync(join(inject('packaged'), 'tls-'));
  chmodSync(folder, 0o755);
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject];
  execFileSync('openssl', [...request, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const credentials = { key: readFileSync(key), cert: readFileSync(certificate) };
  const { hostname, port } = new URL(databaseUrl);

  const open = new Set<Socket>();
  const server = createServer(async (client) => {
    open.add(client);
    client.on('error', () => {});
    await once(client, 'data'); // SSLRequest, 8 bytes
    client.write('S');
    const secure = new TLSSocket(client, { isServer: true, ...credentials });
    const upstream = connect(Number(port), hostname);
    for (const socket of [secure, upstream]) socket.on('error', () => client.destroy());
    secure.pipe(upstream).pipe(secure);
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
