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

const SECONDS = [0.1, 1, 10, 60];
const columns = SECONDS.map(perMillion);
const line = (cells: string[]) => console.log(`| ${cells.join(' | ')} |`);
line(['USD per million tasks', ...SECONDS.map((seconds) => `${seconds} s each`)]);
line(['---', ...SECONDS.map(() => '---:')]);
for (const name of Object.keys(columns[0] ?? {})) {
  line([name, ...columns.map((column) => (column[name] ?? 0).toFixed(2))]);
}
line([
  '**all**',
  ...columns.map((column) =>
    Object.values(column)
      .reduce((sum, usd) => sum + usd)
      .toFixed(2),
  ),
]);
console.log(`\nA month without tasks: ${IDLE.toFixed(2)} USD, and the database.`);
