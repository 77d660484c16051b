import type { Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { recordRequest } from '../../lib/http/request-record.ts';
import { addToLog } from '../../lib/observability/log-context.ts';
import { aTaskId } from '../support/a-task.ts';
import { anHttpEvent, type RequestFields } from '../support/http-event.ts';
import { keptLog } from '../support/kept-log.ts';

/** The lines about one request. */
async function linesOf(fields: RequestFields, status = 200, work = () => {}) {
  const { logger, lines } = keptLog('debug');
  const context = { awsRequestId: 'aws-1' } as Context;
  await recordRequest({ logger, accessLevel: 'info' }, anHttpEvent(fields), context, async () => {
    work();
    return { statusCode: status };
  });
  return lines();
}

const LIST = { routeKey: 'GET /api/tasks', path: '/api/tasks' };

describe('recordRequest', () => {
  it('tells of a request in one line, with what was found out about it meanwhile', async () => {
    expect(await linesOf(LIST, 200, () => addToLog({ tenant: 'acme' }))).toEqual([
      {
        level: 'info',
        time: expect.any(String),
        requestId: 'aws-1',
        tenant: 'acme',
        method: 'GET',
        route: '/api/tasks',
        status: 200,
        ms: expect.any(Number),
        msg: 'request',
      },
    ]);
  });

  it.each([
    [404, 'info'],
    [500, 'error'],
    [503, 'info'],
  ])('gives an answer of %s the level %s', async (status, level) => {
    expect(await linesOf(LIST, status)).toMatchObject([{ level, status }]);
  });

  it.each(['GET /health/ready', 'GET /health/live', 'GET /metrics'])(
    'is quiet about %s, which is asked all the time',
    async (routeKey) => {
      expect(await linesOf({ routeKey }, 503)).toMatchObject([{ level: 'debug' }]);
    },
  );

  it('names the task of a path, and nothing else that stands there', async () => {
    const taskId = aTaskId();
    const routeKey = 'GET /api/tasks/{taskId}';
    expect(await linesOf({ routeKey, pathParameters: { taskId } })).toMatchObject([{ taskId }]);
    const [line] = await linesOf({ routeKey, path: '/x', pathParameters: { taskId: 'x' } });
    expect(line).not.toHaveProperty('taskId');
  });
});
