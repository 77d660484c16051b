import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import setUpServers from '../support/global-setup.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with what `serverless package` makes: zips and templates. */
    packaged: string;
    /** A program that takes away what Lambda refuses. */
    denials: string;
  }
}

const run = promisify(execFile);
const PROJECT = join(import.meta.dirname, '../..');
export const TOOLS = join(import.meta.dirname, 'tools');
export const TEMPLATE = 'cloudformation-template-update-stack.json';
/** The runtime client is built from sources. */
const INSTALL_MS = 600_000;

/**
 * Packages the functions once for the whole run, for this machine's processor: they are to run here.
 * Nothing else differs from what `npm run package` makes for AWS.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const closeServers = await setUpServers(project);
  await installTools();
  const folder = await mkdtemp(join(tmpdir(), 'errand-packaged-'));
  await chmod(folder, 0o755);
  await serverlessPackage(folder, ['--param', 'database=aurora']);
  await cp(join(PROJECT, '.serverless', TEMPLATE), join(folder, 'aurora.json'));
  await packageInto(folder, process.arch === 'x64' ? ['x86_64', 'x64'] : ['arm64', 'arm64']);
  const denials = join(folder, 'denials');
  await run('gcc', [
    '-O1',
    '-static',
    '-o',
    denials,
    join(import.meta.dirname, 'environment/denials.c'),
  ]);
  project.provide('packaged', folder);
  project.provide('denials', denials);
  return async () => {
    await rm(folder, { recursive: true, force: true });
    await closeServers();
  };
}

async function installTools(): Promise<void> {
  if (existsSync(join(TOOLS, 'node_modules/aws-lambda-ric/rapid-client.node'))) return;
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: TOOLS, timeout: INSTALL_MS });
}

async function packageInto(
  folder: string,
  [architecture, nativeArchitecture]: [string, string] | string[],
): Promise<void> {
  await serverlessPackage(folder, [
    ...['--param', `architecture=${architecture}`],
    ...['--param', `nativeArchitecture=${nativeArchitecture}`],
  ]);
  await cp(join(PROJECT, '.serverless'), folder, { recursive: true });
}

async function serverlessPackage(folder: string, parameters: readonly string[]): Promise<void> {
  const serverless = join(PROJECT, 'node_modules/serverless/bin/serverless.js');
  await run(process.execPath, [serverless, 'package', '--stage', 'prod', ...parameters], {
    cwd: PROJECT,
    // The bundler leaves a folder for each function there.
    env: { ...process.env, TMPDIR: folder },
  });
}
