/**
 * `npm run bench:authentication`: what an API key costs a request. Reads a task through the handler
 * of the API, on a Postgres that waits for its disk, without a key, with one, and with one that has
 * a rate limit, in turns; and tells how much write-ahead log each makes.
 */
import { parseArgs } from 'node:util';
import { EVERYBODY } from '../lib/access/caller.ts';
import { connect } from '../lib/db/connection.ts';
import { migrate, readMigrations } from '../lib/db/migrate.ts';
import { apiHandler } from '../lib/http/api-handler.ts';
import { makeAuthenticate } from '../lib/http/authenticate.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { ok } from '../lib/http/response.ts';
import { makeLogger } from '../lib/observability/logger.ts';
import { makeFindTask } from '../lib/tasks/find-task.ts';
import { makeTaskWatcher } from '../lib/tasks/task-watcher.ts';
import { storeTask, TENANT } from '../test/support/a-task.ts';
import { anHttpEvent } from '../test/support/http-event.ts';
import { storeKey } from '../test/support/keys.ts';
import { startPostgres } from '../test/support/servers.ts';
import { inParallel, percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    concurrency: { type: 'string', default: '4' },
  },
});
/** Requests of a turn. */
const TURN = 200;
const TURNS = Math.ceil(Number(values.requests) / TURN);
const CONCURRENCY = Number(values.concurrency);

const postgres = await startPostgres();
const sql = connect({ url: postgres.url, poolMax: 10, prepare: true });
await migrate(sql, await readMigrations());

const unlimited = await storeKey(sql);
const limited = await storeKey(sql, {
  rateLimit: { requestsPerMinute: 1_000_000, burst: 1_000_000 },
});
const task = await storeTask(sql);
const findTask = makeFindTask({ sql, watcher: makeTaskWatcher({ sql }) });

function reading(authenticate: ReturnType<typeof makeAuthenticate>, headers: object) {
  const edge = {
    logger: makeLogger('error'),
    accessLevel: 'debug' as const,
    allowedHosts: [],
    corsOrigins: [],
    open: async () => ({ authenticate }),
  };
  const handler = apiHandler(edge, { scope: 'read', query: NoQuery }, async () =>
    ok(await findTask(TENANT, task)),
  );
  const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => 60_000 };
  return async () => {
    const startedAt = performance.now();
    const event = anHttpEvent({ headers: { ...headers } });
    const { statusCode } = await handler(event, context as never);
    if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
    return performance.now() - startedAt;
  };
}

const variants = {
  'AUTH=none': reading(async () => EVERYBODY, {}),
  'a key without a limit': reading(makeAuthenticate({ sql }), unlimited.headers),
  'a key with a limit': reading(makeAuthenticate({ sql }), limited.headers),
};

interface Turn {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
}

async function turn(work: () => Promise<number>): Promise<Turn> {
  const startedAt = performance.now();
  const latenciesMs = await inParallel(TURN, CONCURRENCY, work);
  return { seconds: (performance.now() - startedAt) / 1000, latenciesMs };
}

async function walBytes(work: () => Promise<unknown>): Promise<number> {
  const place = async () => {
    const [row] = await sql<[{ bytes: number }]>`
      select (pg_current_wal_insert_lsn() - '0/0')::bigint as bytes`;
    return row.bytes;
  };
  const before = await place();
  await work();
  return (await place()) - before;
}

try {
  const turns = new Map<string, Turn[]>(Object.keys(variants).map((name) => [name, []]));
  for (const work of Object.values(variants)) await turn(work); // warm-up
  for (let n = 0; n < TURNS; n++) {
    // In short turns, so that what else the machine does falls on all alike.
    for (const [name, work] of Object.entries(variants)) turns.get(name)?.push(await turn(work));
  }
  console.log(`${TURNS} turns of ${TURN} requests each, ${CONCURRENCY} at once; medians`);
  for (const [name, work] of Object.entries(variants)) {
    const of = turns.get(name) ?? [];
    const rate =
      TURN /
      percentile(
        of.map(({ seconds }) => seconds),
        50,
      );
    const p50 = percentile(
      of.flatMap(({ latenciesMs }) => latenciesMs),
      50,
    );
    const wal = await walBytes(() => turn(work));
    console.log(
      `${name.padEnd(22)} ${rate.toFixed(0).padStart(5)}/s   p50 ${p50.toFixed(2)} ms   ` +
        `${(wal / TURN).toFixed(1)} bytes of WAL a request`,
    );
  }
} finally {
  await sql.end({ timeout: 1 });
  await postgres.close();
}
process.exit(0);
