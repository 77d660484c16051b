import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';

/** Stands for npm: notes that it was called, and installs what the lock file names. */
const NPM = `#!${process.execPath}
const { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } =
  require('node:fs');
appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
if (existsSync('npm-fails')) {
  console.log('npm error code EINTEGRITY');
  console.error('npm error sha512 mismatch');
  process.exit(7);
}
rmSync('node_modules', { recursive: true, force: true });
mkdirSync('node_modules/node/bin', { recursive: true });
symlinkSync(process.execPath, 'node_modules/node/bin/node');
setTimeout(() => {
  if (existsSync('npm-dies')) process.kill(process.pid, 'SIGKILL');
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  delete packages[''];
  delete packages['node_modules/for-another-platform'];
  writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }));
}, 300);
`;

const LOCK = {
  packages: {
    '': { name: 'project' },
    'node_modules/zod': { version: '4.0.0', integrity: 'sha512-zod4' },
    'node_modules/for-another-platform': { version: '1.0.0', optional: true },
  },
};

describe('bootstrap', () => {
  let project: string;

  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'errand bootstrap '));
    await mkdir(join(project, 'dev'));
    for (const name of ['bootstrap', 'child', 'dependencies', 'install-lock']) {
      await cp(`dev/${name}.mjs`, join(project, 'dev', `${name}.mjs`));
    }
    await mkdir(join(project, 'bin'));
    await writeFile(join(project, 'bin', 'npm'), NPM);
    await chmod(join(project, 'bin', 'npm'), 0o755);
    await write('package-lock.json', JSON.stringify(LOCK));
    await write('script.mjs', 'console.log("ran", ...process.argv.slice(2));');
  });
  afterEach(() => rm(project, { recursive: true, force: true }));

  const write = (name: string, text: string) => writeFile(join(project, name), text);
  const npmCalls = async () =>
    (await readFile(join(project, 'npm-calls'), 'utf8').catch(() => '')).split('\n').slice(0, -1);

  function start(...args: string[]): ChildProcess {
    const { npm_execpath: _npm, npm_lifecycle_event: _event, ...env } = process.env;
    return spawn(process.execPath, ['dev/bootstrap.mjs', ...args], {
      cwd: project,
      env: { ...env, PATH: join(project, 'bin') + delimiter + env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async function ended(child: ChildProcess) {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes) => {
        output += bytes;
      });
    }
    const [code, signal] = await once(child, 'close');
    return { code, signal, output };
  }
  const bootstrap = (...args: string[]) => ended(start(...args));

  it('installs what is missing, says so, and runs the script with its arguments', async () => {
    const { code, output } = await bootstrap('script.mjs', 'one', 'two words');
    expect(output).toBe(
      'errand: dependencies are not installed; running npm ci, which takes about a minute\n' +
        'ran one two words\n',
    );
    expect(code).toBe(0);
    expect(await npmCalls()).toEqual([
      'ci --no-audit --no-fund --loglevel=error --foreground-scripts=false',
    ]);
  });

  it('installs nothing again, and says nothing', async () => {
    await bootstrap('script.mjs');
    const { output } = await bootstrap('script.mjs');
    expect(output).toBe('ran\n');
    expect(await npmCalls()).toHaveLength(1);
  });

  it.each([
    ['another version', { version: '4.0.1', integrity: 'sha512-zod4' }],
    ['another content', { version: '4.0.0', integrity: 'sha512-other' }],
  ])('installs again when the lock file names %s', async (_what, zod) => {
    await bootstrap('script.mjs');
    const packages = { ...LOCK.packages, 'node_modules/zod': zod };
    await write('package-lock.json', JSON.stringify({ packages }));

    const { output } = await bootstrap('script.mjs');
    expect(output).toContain('dependencies are out of date (zod)');
    expect(await npmCalls()).toHaveLength(2);
  });

  it('installs again after an interrupted installation', async () => {
    await write('npm-dies', '');
    const interrupted = await bootstrap('script.mjs');
    expect(interrupted).toMatchObject({
      code: 1,
      output: expect.stringContaining('npm ci was ended by SIGKILL'),
    });
    await rm(join(project, 'npm-dies'));

    expect(await bootstrap('script.mjs')).toMatchObject({ code: 0 });
    expect(await npmCalls()).toHaveLength(2);
  });

  it('installs once when two start at the same time', async () => {
    const results = await Promise.all([bootstrap('script.mjs'), bootstrap('script.mjs')]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(await npmCalls()).toHaveLength(1);
    expect(results.map(({ output }) => output).join('')).toContain(
      'errand: waiting for another installation in this directory',
    );
  });

  it('does not empty the dependencies of another project through a link', async () => {
    const other = join(project, 'other', 'node_modules');
    await mkdir(other, { recursive: true });
    await symlink(other, join(project, 'node_modules'));

    const { code, output } = await bootstrap('script.mjs');
    expect(code).toBe(1);
    expect(output).toContain(`node_modules is a link to ${other}, which npm ci would empty`);
    expect(await npmCalls()).toEqual([]);
  });

  it('replaces no dependencies under a running system', async () => {
    await mkdir(join(project, '.errand'));
    await write('.errand/running.json', JSON.stringify({ pid: process.pid }));

    const { code, output } = await bootstrap('script.mjs');
    expect(code).toBe(1);
    expect(output).toContain(`errand runs with them (process ${process.pid}). Stop it first.`);
    expect(await npmCalls()).toEqual([]);
  });

  it('takes over the lock of a process that is gone', async () => {
    const gone = spawn(process.execPath, ['--version']);
    await once(gone, 'exit');
    await mkdir(join(project, '.errand'));
    await write('.errand/install.lock', String(gone.pid));

    expect(await bootstrap('script.mjs')).toMatchObject({ code: 0 });
  });

  it('shows all that npm said when it fails, and does not run the script', async () => {
    await write('npm-fails', '');
    const { code, output } = await bootstrap('script.mjs');
    expect(code).toBe(1);
    expect(output).toContain('npm error code EINTEGRITY\n');
    expect(output).toContain('npm error sha512 mismatch\n');
    expect(output).toContain('errand: npm ci failed (exit code 7)\n');
    expect(output).not.toMatch(/^ran/m);
  });

  it("ends with the script's exit code", async () => {
    await write('script.mjs', 'process.exit(42);');
    expect(await bootstrap('script.mjs')).toMatchObject({ code: 42, signal: null });
  });

  it("ends with the script's signal", async () => {
    await write('script.mjs', 'process.kill(process.pid, "SIGKILL");');
    expect(await bootstrap('script.mjs')).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('passes %s on, once', async (signal) => {
    await write(
      'script.mjs',
      `let times = 0;
       process.on('${signal}', () => {
         times += 1;
         setTimeout(() => { console.log('got', times); process.exit(5); }, 100);
       });
       setInterval(() => {}, 1000);
       console.log('listening');`,
    );
    const child = start('script.mjs');
    let output = '';
    child.stdout?.on('data', (bytes) => {
      output += bytes;
    });
    const end = ended(child);
    await eventually(() => expect(output).toContain('listening'));
    child.kill(signal);

    expect(await end).toMatchObject({ code: 5, output: expect.stringContaining('got 1') });
  });
});
