/**
 * `npm run deploy -- --stage prod [--param NAME=VALUE]...`: looks whether the account has what the
 * deployment needs, says so line by line, hands over to the Serverless Framework, and shows the first
 * API key of a database that has none.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { showFirstKey } from './deploy/first-key.ts';
import { readParameters } from './deploy/parameters.ts';
import { preflight } from './deploy/preflight.ts';

const { values } = parseArgs({
  options: {
    stage: { type: 'string', default: 'dev' },
    region: { type: 'string', default: process.env.AWS_REGION || 'us-east-1' },
    param: { type: 'string', multiple: true, default: [] },
    'check-only': { type: 'boolean', default: false },
  },
});
const { stage, region, param } = values;

const ready = await preflight(
  { stage, region, ...(await readParameters(stage, param)) },
  process.env,
  ({ name, ok, says }) => console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(12)} ${says}`),
);
if (!ready) {
  console.error('\nNothing was deployed.');
  process.exit(1);
}
if (!values['check-only']) {
  process.exitCode = await deploy();
  if (process.exitCode === 0) await showFirstKey({ stage, region }, process.env);
}

async function deploy(): Promise<number> {
  const bin = createRequire(import.meta.url).resolve('serverless/bin/serverless.js');
  const passedOn = param.flatMap((text) => ['--param', text]);
  const child = spawn(
    process.execPath,
    [bin, 'deploy', '--stage', stage, '--region', region, ...passedOn],
    { stdio: 'inherit', env: { ...process.env, AWS_REGION: region } },
  );
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
