/**
 * `npm run bench:api`: what the API costs beside the bare work that it cannot do without: for a
 * create the INSERT and the SendMessage, for a get and a list the SELECT. Functions are invoked as
 * Lambda invokes them, with a million tasks in the table, in turns with the bare work. What a server
 * in front of them costs is not in it: on AWS that is API Gateway's.
 */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { v7 as uuidv7 } from 'uuid';
import { connect } from '../lib/db/connection.ts';
import { migrate, readMigrations } from '../lib/db/migrate.ts';
import { usualLimits } from '../lib/tasks/limits.ts';
import { makeTallyTasks } from '../lib/tasks/tally-tasks.ts';
import type { TaskId } from '../lib/tasks/task.ts';
import { TENANT } from '../test/support/a-task.ts';
import { storeHistory } from '../test/support/history.ts';
import { anHttpEvent, aPost } from '../test/support/http-event.ts';
import { createQueue } from '../test/support/queue.ts';
import { startEmulator, startPostgres } from '../test/support/servers.ts';
import { inParallel, percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '1000000' },
    requests: { type: 'string', default: '2000' },
  },
});
const HISTORY = Number(values.tasks);
const REQUESTS = Number(values.requests);
const TURN = 100;
const CONCURRENCY = 4;

process.env.AWS_ACCESS_KEY_ID ||= 'local';
process.env.AWS_SECRET_ACCESS_KEY ||= 'local';
const [postgres, emulator] = await Promise.all([startPostgres(), startEmulator()]);
const sql = connect({ url: postgres.url, poolMax: 10, prepare: true });
const settings = await createQueue(emulator.url);
const sqs = new SQSClient({ region: settings.region, endpoint: emulator.url });
Object.assign(process.env, {
  DATABASE_URL: postgres.url,
  DATABASE_POOL_MAX: '10',
  TASK_QUEUE_URL: settings.url,
  DEAD_LETTER_QUEUE_URL: settings.deadLetterUrl,
  SQS_ENDPOINT: emulator.url,
  AUTH: 'none',
  LOG_LEVEL: 'error',
});

type Handler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<{ statusCode?: number; body?: string }>;

async function invoke(name: string, event: APIGatewayProxyEventV2) {
  const { handler }: { handler: Handler } = await import(`../functions/${name}.ts`);
  const context = { awsRequestId: randomUUID(), getRemainingTimeInMillis: () => 29_000 };
  const answer = await handler(event, context as Context);
  if ((answer.statusCode ?? 500) >= 300) throw new Error(`${name}: ${answer.body}`);
  return answer;
}

const getEvent = (taskId: string, query = '') =>
  anHttpEvent({ path: `/api/tasks/${taskId}`, pathParameters: { taskId }, query });
const listEvent = (query: string) => anHttpEvent({ path: '/api/tasks', query });

/** A row and a message, and nothing that makes them belong together. */
async function bareCreate(): Promise<void> {
  const id = uuidv7() as TaskId;
  await sql`
    insert into errand.tasks (id, tenant, command, timeout_seconds, memory_mb, limits)
    values (${id}, ${TENANT}, 'echo hello', 60, 256, ${sql.json(usualLimits(60))})
    returning *`;
  const message = JSON.stringify({ taskId: id });
  await sqs.send(new SendMessageCommand({ QueueUrl: settings.url, MessageBody: message }));
}

async function bareGet(id: string): Promise<void> {
  const rows = await sql`
    select t.*, a.exit_code, a.wall_ms, c.bytes
      from errand.tasks t
      left join errand.attempts a on a.task_id = t.id
      left join errand.output_chunks c on c.task_id = t.id
     where t.id = ${id}`;
  JSON.stringify(rows);
}

async function bareList(): Promise<void> {
  const rows = await sql`
    select t.*, a.exit_code, a.wall_ms
      from errand.tasks t
      left join errand.attempts a on a.task_id = t.id and a.number = t.attempt
     where t.tenant = ${TENANT}
     order by t.created_at desc, t.id desc
     limit 50`;
  JSON.stringify(rows);
}

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Runs both in short turns, so that what else the machine does falls on both alike. */
async function inTurns(works: readonly (() => Promise<unknown>)[]): Promise<Measured[]> {
  const taken = works.map(() => [] as number[]);
  const seconds = works.map(() => 0);
  for (let turn = 0; turn <= REQUESTS / TURN; turn++) {
    for (const [index, work] of works.entries()) {
      const startedAt = performance.now();
      await inParallel(TURN, CONCURRENCY, async () => {
        const at = performance.now();
        await work();
        if (turn > 0) taken[index]?.push(performance.now() - at); // The first turn warms up.
      });
      if (turn > 0) seconds[index] = (seconds[index] ?? 0) + (performance.now() - startedAt) / 1000;
    }
  }
  return taken.map((ms, index) => ({
    perSecond: ms.length / (seconds[index] ?? 1),
    p50: percentile(ms, 50),
    p99: percentile(ms, 99),
  }));
}

function show(name: string, { perSecond, p50, p99 }: Measured, bare?: Measured): void {
  const share = bare ? `   ${(bare.perSecond / perSecond).toFixed(2)} x bare` : '';
  console.log(
    `${name.padEnd(34)} ${perSecond.toFixed(0).padStart(5)}/s   p50 ${p50.toFixed(1).padStart(5)} ms` +
      `   p99 ${p99.toFixed(1).padStart(6)} ms${share}`,
  );
}

async function compare(name: string, ours: () => Promise<unknown>, bare: () => Promise<unknown>) {
  const [mine, theirs] = await inTurns([ours, bare]);
  if (!mine || !theirs) return;
  show(name, mine, theirs);
  show(`  bare`, theirs);
}

try {
  console.log(`storing ${HISTORY} tasks ...`);
  await migrate(sql, await readMigrations());
  await storeHistory(sql, HISTORY);
  await makeTallyTasks({ sql })();
  const sample = await sql<{ id: string; createdAt: Date }[]>`
    select id, created_at as "createdAt" from errand.tasks tablesample system (0.2) limit 1000`;
  const anId = () => sample[Math.floor(Math.random() * sample.length)]?.id ?? '';
  console.log(`${REQUESTS} requests each, ${CONCURRENCY} at once`);

  await compare(
    'create',
    () => invoke('create-task', aPost({ command: 'echo hello' })),
    bareCreate,
  );
  await compare(
    'get',
    () => invoke('get-task', getEvent(anId())),
    () => bareGet(anId()),
  );
  await compare('list, page 1', () => invoke('list-tasks', listEvent('')), bareList);

  const deep = await sql<{ createdAt: Date; id: string }[]>`
    select created_at as "createdAt", id from errand.tasks where tenant = ${TENANT}
     order by created_at desc, id desc offset ${Math.floor(HISTORY / 2)} limit 1`;
  const cursor = Buffer.from(`${deep[0]?.createdAt.getTime()}.${deep[0]?.id}`).toString(
    'base64url',
  );
  const others: readonly (readonly [string, string, string])[] = [
    [`list, page ${HISTORY / 100}`, 'list-tasks', `cursor=${cursor}`],
    ['list, one status', 'list-tasks', 'status=failed'],
    [
      'list, two statuses and a label',
      'list-tasks',
      'status=failed&status=cancelled&label=team:team-0',
    ],
    ['list, a text that no task has', 'list-tasks', 'q=no+such+text'],
    ['stats', 'get-stats', ''],
  ];
  for (const [name, fn, query] of others) {
    const [measured] = await inTurns([() => invoke(fn, listEvent(query))]);
    if (measured) show(name, measured);
  }
  const [waited] = await inTurns([
    async () => {
      const { body = '' } = await invoke('create-task', aPost({ command: 'true' }));
      const { id } = JSON.parse(body);
      const waiting = invoke('get-task', getEvent(id, 'wait=20'));
      await sql`update errand.tasks set status = 'cancelled', finished_at = now() where id = ${id}`;
      await waiting;
    },
  ]);
  if (waited) show('create, end elsewhere, wait for it', waited);
} finally {
  sqs.destroy();
  await sql.end({ timeout: 1 });
  await Promise.all([postgres.close(), emulator.close()]);
}
process.exit(0);
