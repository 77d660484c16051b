/**
 * `npm run deploy -- --stage prod [--param NAME=VALUE]...`: looks whether the account has what the
 * deployment needs, says so line by line, and hands over to the Serverless Framework.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { preflight } from './deploy/preflight.ts';

/** As in serverless.yml. */
const CONCURRENCY: Readonly<Record<string, number>> = { dev: 10 };
const USUAL_CONCURRENCY = 50;

const { values } = parseArgs({
  options: {
    stage: { type: 'string', default: 'dev' },
    region: { type: 'string', default: process.env.AWS_REGION || 'us-east-1' },
    param: { type: 'string', multiple: true, default: [] },
    'check-only': { type: 'boolean', default: false },
  },
});
const { stage, region, param } = values;
const parameters = new Map(
  param.map((text) => {
    const at = text.indexOf('=');
    return [text.slice(0, at), text.slice(at + 1)] as const;
  }),
);

const ready = await preflight(
  {
    stage,
    region,
    databaseSecret: parameters.get('databaseSecret') ?? `ssm:/errand/${stage}/database-url`,
    maximumConcurrency: Number(
      parameters.get('maximumConcurrency') ?? CONCURRENCY[stage] ?? USUAL_CONCURRENCY,
    ),
  },
  process.env,
  ({ name, ok, says }) => console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(12)} ${says}`),
);
if (!ready) {
  console.error('\nNothing was deployed.');
  process.exit(1);
}
if (!values['check-only']) {
  const bin = createRequire(import.meta.url).resolve('serverless/bin/serverless.js');
  const passedOn = param.flatMap((text) => ['--param', text]);
  const child = spawn(
    process.execPath,
    [bin, 'deploy', '--stage', stage, '--region', region, ...passedOn],
    { stdio: 'inherit', env: { ...process.env, AWS_REGION: region } },
  );
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
}
