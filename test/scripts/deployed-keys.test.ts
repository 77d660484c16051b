import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manageDeployedKeys } from '../../scripts/deploy/deployed-keys.ts';

const lambda = { status: 200, body: '{"kind":"notFirst"}' };
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(lambda.status).end(lambda.body);
});
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

const prod = { stage: 'prod', region: 'eu-central-1' };

function first() {
  const env = {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  return manageDeployedKeys(prod, env, { kind: 'first' }, 'test');
}

describe('manageDeployedKeys', () => {
  it('hands back what the function answers', async () => {
    expect(await first()).toEqual({ kind: 'notFirst' });
  });

  it.each([
    [404, '{}', 'there is no errand-prod-manage-keys in eu-central-1: is the stage deployed?'],
    [403, '{"Message":"no"}', 'Lambda answered 403: {"Message":"no"}'],
    [200, '{"errorMessage":"database"}', 'errand-prod-manage-keys failed: database'],
    [200, 'null', 'errand-prod-manage-keys failed: its log says why'],
  ])('says what is in the way: %s %s', async (status, body, message) => {
    Object.assign(lambda, { status, body });
    await expect(first()).rejects.toThrow(message);
  });
});
