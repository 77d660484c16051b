// Stands in for LocalStack, as far as docker-compose.localstack.yml relies on it: SQS on port 4566,
// nothing kept, and its health page.
import { subscribe } from 'node:diagnostics_channel';
import { startFauxqs } from 'fauxqs';

subscribe('fastify.initialization', ({ fastify }) => {
  fastify.get('/_localstack/health', () => ({ services: { sqs: 'running' } }));
});
const server = await startFauxqs({ port: 4566, logger: false });
process.once('SIGTERM', async () => {
  await server.stop();
  process.exit(0);
});
