/** `node scripts/aws-cost.ts`: the table of docs/scaling.md. List prices in USD of us-east-1, from memory. */

/** To be compared with the price page of each service before you rely on them. Without free tiers. */
const PRICE = {
  lambdaGbSecond: 0.0000133334, // arm64
  lambdaRequest: 0.2e-6,
  httpApiRequest: 1e-6,
  sqsRequest: 0.4e-6,
  s3Put: 5e-6,
  s3Get: 0.4e-6,
  logsGb: 0.5,
  auroraUnitHour: 0.12,
  auroraGbMonth: 0.1,
  endpointHour: 0.01,
  secretMonth: 0.4,
};

const GB = { api: 0.5, worker: 0.5, runner: 2.5 };

/** Assumed for each task, besides how long its command takes. */
const ASSUMED = {
  /** Create, and two looks at the result. */
  apiRequests: 3,
  apiMs: 30,
  /** Of the worker and the runner, besides the command: claim, invoke, settle; spawn, sweep. */
  workerMs: 60,
  runnerMs: 25,
  /** Send, receive, delete. */
  sqsRequests: 3,
  logBytes: 2500,
};

/** Long polls on an empty queue by five pollers, and the schedules: what a month costs without any task. */
const IDLE =
  30 * 86_400 * (5 / 20) * PRICE.sqsRequest +
  2 * 30 * 24 * 60 * (PRICE.lambdaRequest + 0.05 * GB.worker * PRICE.lambdaGbSecond);

const HOURS = 730;

/** Of `--param database=aurora`, as resources/aurora/ makes it. */
const AURORA = { endpoints: 3, awakeUnits: 0.5, gb: 10, sleepsAfterMinutes: 5, wakesForMinutes: 1 };

/** What a month costs without any task, with the upkeep each so many minutes. */
function auroraMonth(instances: number, upkeepMinutes: number): Record<string, number> {
  const a = AURORA;
  const awake = Math.min(1, (a.sleepsAfterMinutes + a.wakesForMinutes) / upkeepMinutes);
  return {
    // An endpoint in each zone that has an instance.
    Endpoints: a.endpoints * instances * HOURS * PRICE.endpointHour,
    Capacity: instances * awake * a.awakeUnits * HOURS * PRICE.auroraUnitHour,
    [`Storage, ${a.gb} GB`]: a.gb * PRICE.auroraGbMonth,
    Password: PRICE.secretMonth,
  };
}

function perMillion(commandSeconds: number): Record<string, number> {
  const a = ASSUMED;
  const rows = {
    'HTTP API': a.apiRequests * PRICE.httpApiRequest,
    'Lambda, API':
      a.apiRequests * (PRICE.lambdaRequest + (a.apiMs / 1000) * GB.api * PRICE.lambdaGbSecond),
    'Lambda, worker':
      PRICE.lambdaRequest + (commandSeconds + a.workerMs / 1000) * GB.worker * PRICE.lambdaGbSecond,
    'Lambda, runner':
      PRICE.lambdaRequest + (commandSeconds + a.runnerMs / 1000) * GB.runner * PRICE.lambdaGbSecond,
    SQS: a.sqsRequests * PRICE.sqsRequest,
    'S3, looking for a cancellation': Math.floor(commandSeconds) * PRICE.s3Get,
    Logs: (a.logBytes / 1e9) * PRICE.logsGb,
  };
  return Object.fromEntries(Object.entries(rows).map(([name, usd]) => [name, usd * 1e6]));
}

const line = (cells: string[]) => console.log(`| ${cells.join(' | ')} |`);

function printTable(title: string, heads: readonly string[], columns: Record<string, number>[]) {
  line([title, ...heads]);
  line(['---', ...heads.map(() => '---:')]);
  for (const name of Object.keys(columns[0] ?? {})) {
    line([name, ...columns.map((column) => (column[name] ?? 0).toFixed(2))]);
  }
  const sums = columns.map((column) => Object.values(column).reduce((sum, usd) => sum + usd));
  line(['**all**', ...sums.map((usd) => usd.toFixed(2))]);
}

const SECONDS = [0.1, 1, 10, 60];
printTable(
  'USD per million tasks',
  SECONDS.map((seconds) => `${seconds} s each`),
  SECONDS.map(perMillion),
);
console.log(`\nA month without tasks: ${IDLE.toFixed(2)} USD, and the database.\n`);
printTable(
  'USD per month, database=aurora',
  ['dev', 'prod', 'dev, upkeepRate 1 hour', 'prod, upkeepRate 1 hour'],
  [auroraMonth(1, 1), auroraMonth(2, 1), auroraMonth(1, 60), auroraMonth(2, 60)],
);
