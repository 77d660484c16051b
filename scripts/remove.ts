/**
 * `npm run remove -- --stage dev`: says what removing the stack deletes, and deletes it once the
 * stage's name was typed (or given with `--yes NAME`).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { findCredentials, makeAws } from './deploy/aws.ts';
import { findOwnDatabase, type OwnDatabase } from './deploy/own-database.ts';

const { values } = parseArgs({
  options: {
    stage: { type: 'string' },
    region: { type: 'string', default: process.env.AWS_REGION || 'us-east-1' },
    yes: { type: 'string' },
  },
});
const { stage, region } = values;
if (!stage) {
  console.error('usage: npm run remove -- --stage dev');
  process.exit(2);
}
const database = await findDatabase(`errand-${stage}`);
console.log(`This deletes the stack errand-${stage} in ${region}:
  the API and its address, all functions, their roles and logs;
  both queues, with what is in them (tasks that wait are in the database, and stay);
  alarms, the dashboard, the buckets of packages and of cancellations.
${whatOf(database)}`);
if (database?.deletionProtection) {
  console.error(`The database is protected, so nothing was deleted. Without protection it can be:
  aws rds modify-db-cluster --region ${region} --db-cluster-identifier ${database.cluster} --no-deletion-protection`);
  process.exit(1);
}
const typed = values.yes ?? (await ask(`Type ${stage} to go on: `));
if (typed !== stage) {
  console.error('Nothing was deleted.');
  process.exit(1);
}
const bin = createRequire(import.meta.url).resolve('serverless/bin/serverless.js');
const child = spawn(process.execPath, [bin, 'remove', '--stage', stage, '--region', region], {
  stdio: 'inherit',
  env: { ...process.env, AWS_REGION: region },
});
const [code] = await once(child, 'exit');
process.exitCode = code ?? 1;

async function findDatabase(stackName: string): Promise<OwnDatabase | undefined> {
  try {
    const credentials = await findCredentials(process.env);
    const aws = makeAws(credentials, region, process.env.AWS_ENDPOINT_URL || undefined);
    return await findOwnDatabase(aws, stackName);
  } catch (error) {
    console.error(`Nothing was deleted. ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}

function whatOf(own: OwnDatabase | undefined): string {
  if (own === undefined) return 'It leaves the database and its secret alone.';
  return `  the database ${own.cluster} with all tasks and keys, its backups, its password and its network.
Of the database a last snapshot stays, and costs until you delete it.`;
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}
