import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SecretStore {
  /** For `AWS_ENDPOINT_URL`. */
  readonly url: string;
  /** By the name of a parameter or the ARN of a secret. */
  readonly values: Map<string, string>;
  close(): Promise<void>;
}

/** GetParameter and GetSecretValue, for callers who sign. No emulator at hand has them. */
export async function serveSecrets(): Promise<SecretStore> {
  const values = new Map<string, string>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { Name, WithDecryption, SecretId } = JSON.parse(Buffer.concat(chunks).toString());
    const signed = /^AWS4-HMAC-SHA256 Credential=ASIAERRAND.*\/(ssm|secretsmanager)\//.test(
      request.headers.authorization ?? '',
    );
    const value = values.get(Name ?? SecretId);
    if (!signed || value === undefined || (Name && !WithDecryption)) {
      response.writeHead(400).end('{"__type":"ParameterNotFound"}');
      return;
    }
    const answer = Name ? { Parameter: { Name, Value: value } } : { SecretString: value };
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    values,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
