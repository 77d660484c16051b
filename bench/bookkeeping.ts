/**
 * `npm run bench:bookkeeping`: what the outbox and the lease cost. Creates tasks, publishes them,
 * claims, runs and settles them with everything real but HTTP and the poller, once as the system
 * does and once without outbox rows, leases and renewals, in turns; then the same without commands,
 * where nothing hides the cost.
 */
import { parseArgs } from 'node:util';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { v7 as uuidv7 } from 'uuid';
import { connect } from '../lib/db/connection.ts';
import { migrate, readMigrations } from '../lib/db/migrate.ts';
import { makeLogger } from '../lib/observability/logger.ts';
import { openSqsQueue } from '../lib/queue/sqs.ts';
import { openSandbox } from '../lib/sandbox/open-sandbox.ts';
import type { Outcome, Sandbox } from '../lib/sandbox/sandbox.ts';
import { makeCreateTask, makeCreateTasks } from '../lib/tasks/create-tasks.ts';
import { makeExecuteTask } from '../lib/tasks/execute-task.ts';
import { sandboxLimits } from '../lib/tasks/limits.ts';
import { settlementOf } from '../lib/tasks/settlement.ts';
import type { TaskId } from '../lib/tasks/task.ts';
import { ACTOR, aTask, TENANT } from '../test/support/a-task.ts';
import { startEmulator, startPostgres } from '../test/support/servers.ts';
import { inParallel, percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '3000' },
  },
});
/** Tasks of a turn. */
const TURN = 50;
const TURNS = Math.ceil(Number(values.tasks) / TURN);
const CONCURRENCY = 4;

process.env.AWS_ACCESS_KEY_ID ||= 'local';
process.env.AWS_SECRET_ACCESS_KEY ||= 'local';
const [postgres, emulator] = await Promise.all([startPostgres(), startEmulator()]);
const sql = connect({ url: postgres.url, poolMax: 10, prepare: true });
await migrate(sql, await readMigrations());
// For the variant without: the same table, on which a running task needs no lease.
await sql`alter table errand.tasks drop constraint tasks_lease_while_running`;
const queue = openSqsQueue(await createQueue(emulator.url), process.env);
const logger = makeLogger('error');

async function createQueue(endpoint: string) {
  const region = 'us-east-1';
  const sqs = new SQSClient({ region, endpoint });
  const { QueueUrl: url = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'bench' }));
  sqs.destroy();
  return { url, deadLetterUrl: url, region, endpoint };
}

const nothing = { bytes: Buffer.alloc(0), totalBytes: 0, truncated: false };
const noCommand: Sandbox = {
  tier: 'none',
  run: async (): Promise<Outcome> => ({
    ending: { kind: 'exited', exitCode: 0 },
    stdout: nothing,
    stderr: nothing,
    usage: { wallMs: 1, cpuMs: 1, maxRssBytes: 1 },
  }),
  async close() {},
};

const sandbox = await openSandbox('auto');
const never = new AbortController().signal;

function asItIs(box: Sandbox): () => Promise<void> {
  const createTask = makeCreateTask(makeCreateTasks({ sql, queue, logger }));
  const executeTask = makeExecuteTask({ sql, queue, logger, sandbox: box, leaseSeconds: 30 });
  return async () => {
    const { task } = await createTask(ACTOR, aTask({ command: 'echo hello' }));
    await executeTask(task.id, never);
  };
}

/** The statements of the system, less what concerns outbox and lease. */
function without(box: Sandbox): () => Promise<void> {
  return async () => {
    const id = uuidv7() as TaskId;
    const task = aTask({ command: 'echo hello' });
    await sql`
      insert into errand.tasks
             (id, tenant, command, stdin, env, timeout_seconds, memory_mb, limits, labels)
      values (${id}, ${TENANT}, 'echo hello', ${task.stdin}, ${sql.json({})},
              ${task.timeoutSeconds}, ${task.memoryMb}, ${sql.json(task.limits)},
              ${sql.json({})})
      returning *`;
    await queue.publish([{ taskId: id, delaySeconds: 0 }]);
    await sql`
      with claimed as (
        update errand.tasks
           set status = 'running', attempt = attempt + 1, started_at = coalesce(started_at, now())
         where id = ${id} and status = 'queued' and run_at <= now()
        returning *
      ), begun as (
        insert into errand.attempts (task_id, number, sandbox_tier)
        select id, attempt, ${box.tier} from claimed
      )
      select id, attempt, command, argv, stdin, env, timeout_seconds, memory_mb from claimed`;
    const limits = sandboxLimits(task);
    const command = { program: task.program, stdin: task.stdin, env: {} };
    const outcome = await box.run(command, limits, () => {}, never);
    const end = settlementOf(outcome);
    await sql`
      with mine as (
        select id, attempt from errand.tasks where id = ${id} and attempt = 1 and status = 'running'
           for no key update
      ), task as (
        update errand.tasks t set status = ${end.status}, finished_at = now() from mine
         where t.id = mine.id
      ), attempt as (
        update errand.attempts a
           set status = ${end.status}, finished_at = now(), exit_code = ${end.exitCode},
               stdout_bytes = ${end.stdoutBytes}, stderr_bytes = ${end.stderrBytes},
               wall_ms = ${end.wallMs}, cpu_ms = ${end.cpuMs}, max_rss_bytes = ${end.maxRssBytes}
          from mine where a.task_id = mine.id and a.number = mine.attempt
      ), output as (
        insert into errand.output_chunks (task_id, seq, stream, bytes)
        select id, 1000001, 'stdout', ${outcome.stdout.bytes} from mine
      )
      select from mine`;
  };
}

async function secondsFor(work: () => Promise<void>, times: number): Promise<number> {
  const startedAt = performance.now();
  await inParallel(times, CONCURRENCY, work);
  return (performance.now() - startedAt) / 1000;
}

/** In short turns, so that what else the machine does falls on both alike. */
async function compare(name: string, box: Sandbox): Promise<void> {
  const variants = [asItIs(box), without(box)] as const;
  for (const work of variants) await secondsFor(work, TURN); // warm-up
  const turns: [number, number][] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const first = turn % 2;
    const seconds: [number, number] = [0, 0];
    for (const which of [first, 1 - first] as (0 | 1)[]) {
      seconds[which] = await secondsFor(variants[which], TURN);
    }
    turns.push(seconds);
  }
  const rate = (which: 0 | 1) =>
    TURN /
    percentile(
      turns.map((seconds) => seconds[which]),
      50,
    );
  const cost = percentile(
    turns.map(([full, bare]) => 1 - bare / full),
    50,
  );
  console.log(
    `${name.padEnd(28)} with ${rate(0).toFixed(0).padStart(4)}/s   ` +
      `without ${rate(1).toFixed(0).padStart(4)}/s   cost ${(cost * 100).toFixed(1)} %`,
  );
}

try {
  console.log(`${TURNS} turns of ${TURN} tasks each, ${CONCURRENCY} at once; medians`);
  await compare(`echo hello (${sandbox.tier})`, sandbox);
  await compare('no command at all', noCommand);
} finally {
  await sandbox.close();
  await queue.close();
  await sql.end({ timeout: 1 });
  await Promise.all([postgres.close(), emulator.close()]);
}
process.exit(0);
