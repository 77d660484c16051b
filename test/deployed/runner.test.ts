import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CREDENTIALS, type Environment, startEnvironment, unpack } from './environment.ts';
import { limits, runIn } from './runner-client.ts';

let task: string;
beforeAll(async () => {
  task = await unpack('run-command');
});

const started: Environment[] = [];
afterEach(async () => {
  for (const environment of started.splice(0)) await environment.close();
});

async function start(): Promise<Environment> {
  const environment = await startEnvironment({
    task,
    handler: 'functions/run-command.handler',
    memoryMb: 2560,
  });
  started.push(environment);
  return environment;
}

/** What is left in an environment, seen by the next command in it. */
const LOOK = `ls -A /tmp /dev/shm | grep -v '^errand-'; ls /proc | grep -c '^[0-9]'`;

describe('run-command, packaged, where Lambda refuses what it is said to refuse', () => {
  it('tells the output and the ending of a command', async () => {
    const answer = await runIn(await start(), 'echo out; echo err >&2; exit 7');
    expect(answer).toMatchObject({ stdout: 'out\n', stderr: 'err\n', suspicious: [] });
    expect(answer.report).toMatchObject({ cause: 'exited', exitCode: 7 });
  });

  it('streams output while the command runs', async () => {
    const environment = await start();
    const first = Promise.withResolvers<string>();
    let ended = false;
    const running = runIn(environment, 'echo first; sleep 2; echo second', {
      onOutput: first.resolve,
    }).finally(() => {
      ended = true;
    });
    expect(await first.promise).toBe('first\n');
    expect(ended).toBe(false);
    expect((await running).stdout).toBe('first\nsecond\n');
  });

  it('answers in one piece whoever cannot take a stream', async () => {
    const answer = await runIn(await start(), 'echo whole', { answer: 'buffered' });
    expect(answer).toMatchObject({ stdout: 'whole\n', suspicious: [] });
  });

  it('ends a command that is out of time', async () => {
    const answer = await runIn(await start(), 'sleep 60', { limits: { ...limits, wallMs: 300 } });
    expect(answer.report?.cause).toBe('timed_out');
  });

  it('refuses another tenant, and ends', async () => {
    const environment = await start();
    await runIn(environment, 'true', { tenant: 'acme' });
    const answer = await runIn(environment, 'echo ran', { tenant: 'other' });
    expect(answer).toMatchObject({ stdout: '', suspicious: ['two tenants'] });
    await environment.ended;
  });

  it('refuses what does not fit into the function', async () => {
    const memoryBytes = 3000 * 2 ** 20;
    const answer = await runIn(await start(), 'true', { limits: { ...limits, memoryBytes } });
    expect(answer.trouble).toMatch(/more memory than a function of 2560 MB can give/);
  });

  it('serves 100 commands with nothing left over', async () => {
    const environment = await start();
    const before = await runIn(environment, LOOK);
    for (let number = 0; number < 100; number += 1) {
      const answer = await runIn(
        environment,
        `echo ${number} > "$HOME/file"; sleep 100 & setsid sleep 100 & echo ${number}`,
      );
      expect(answer).toMatchObject({ stdout: `${number}\n`, suspicious: [] });
    }
    expect((await runIn(environment, LOOK)).stdout).toBe(before.stdout);
  });
});

/** With no processes of others to look at. */
const ALONE = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
];

async function anAddonThatHidesNothing(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'errand-addon-'));
  try {
    const source = 'void *napi_register_module_v1(void *env, void *exports) { return exports; }';
    await writeFile(join(folder, 'addon.c'), source);
    const output = join(folder, 'addon.node');
    execFileSync('gcc', ['-shared', '-fPIC', '-nostdlib', '-o', output, join(folder, 'addon.c')]);
    return await readFile(output);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Each looks for a credential wherever a process of the same user may look. */
const THIEVES = {
  'its own environment': 'env; cat /proc/self/environ',
  'every environment': 'cat /proc/[0-9]*/environ /proc/[0-9]*/task/*/environ',
  'the memory of its ancestors': `perl -e '
    for my $pid (map { /(\\d+)/ } glob "/proc/[0-9]*") { next if $pid == $$;
      open my $maps, "<", "/proc/$pid/maps" or next;
      open my $mem, "<", "/proc/$pid/mem" or next;
      while (<$maps>) {
        my ($from, $to) = /^(\\w+)-(\\w+) rw/ or next; ($from, $to) = (hex $from, hex $to);
        sysseek $mem, $from, 0; sysread $mem, my $bytes, $to - $from or next;
        print $bytes =~ /(errand-canary[a-z-]*)/g } }'`,
  'memory, by the system call for it': `perl -e '
    for my $pid (glob "/proc/[0-9]*") { $pid =~ s/\\D//g; next if $pid == $$;
      open my $maps, "<", "/proc/$pid/maps" or next; while (<$maps>) {
        my ($from, $to) = /^(\\w+)-(\\w+) rw/ or next; ($from, $to) = (hex $from, hex $to);
        my $local = "\\0" x ($to - $from); my $l = pack "PQ", $local, $to - $from;
        my $r = pack "QQ", $from, $to - $from;
        syscall ${process.arch === 'x64' ? 310 : 270}, $pid, $l, 1, $r, 1, 0; print $local =~ /(errand-canary[a-z-]*)/g } }'`,
  'every file': `grep -r -a -l -E 'errand-canary|ASIAERRAND' /tmp /mnt /dev/shm /var /etc /run 2>/dev/null`,
  'open files of others':
    'for fd in /proc/[0-9]*/fd/*; do readlink $fd; timeout 1 cat $fd < /dev/null; done',
  'command lines': 'cat /proc/[0-9]*/cmdline',
};

describe('a hostile command in the runner', () => {
  it.each(Object.entries(THIEVES))('finds no credential in %s', async (_place, command) => {
    const environment = await start();
    const { stdout, stderr } = await runIn(environment, `${command}; echo looked everywhere`, {
      // Of files there are as many as this machine has. The runner keeps 10 of its 30 s.
      limits: { ...limits, wallMs: 18_000, cpuMs: 18_000 },
    });
    expect(stdout).toMatch(/looked everywhere\n$/);
    expect(stderr).not.toMatch(/fork|not found|Resource/);
    for (const canary of Object.values(CREDENTIALS)) expect(stdout + stderr).not.toContain(canary);
  });

  it('would find them, were the runner not hidden', () => {
    const bare =
      'process.stdout.write(child_process.spawnSync("sh", ["-c", process.argv[1]], { env: {} }).stdout)';
    for (const place of [
      'every environment',
      'the memory of its ancestors',
      'memory, by the system call for it',
    ] as const) {
      const found = execFileSync(
        'unshare',
        [...ALONE, process.execPath, '-e', bare, THIEVES[place]],
        { env: { ...CREDENTIALS, PATH: process.env.PATH }, maxBuffer: 2 ** 28 },
      );
      expect(found.toString()).toContain(CREDENTIALS.AWS_SECRET_ACCESS_KEY);
    }
  });

  it('finds no runner at all where it could look into one', async () => {
    const addon = join(task, `native/prebuilt/linux-${process.arch}/undumpable.node`);
    const real = await readFile(addon);
    await rm(addon);
    await writeFile(addon, await anAddonThatHidesNothing());
    try {
      await expect(start()).rejects.toThrow('a command could look into the runner');
    } finally {
      await rm(addon);
      await writeFile(addon, real, { mode: 0o755 });
    }
  });

  it.each([
    ['process that has left its session', 'setsid sh -c "setsid sleep 1000 &" & echo $!'],
    ['process that ignores signals', `sh -c "trap '' TERM HUP INT; sleep 1000" &`],
    ['stopped process', 'sleep 1000 & kill -STOP $!'],
    ['files', 'touch /tmp/mark "$HOME/mark"; mkdir -p /dev/shm/a/b'],
  ])('leaves no %s for the next one', async (_what, command) => {
    const environment = await start();
    const before = await runIn(environment, LOOK);
    const { suspicious } = await runIn(environment, command);
    // What its launcher did not clear away is reason enough not to be used again.
    if (suspicious?.length) {
      await environment.ended;
      return;
    }
    expect((await runIn(environment, LOOK)).stdout).toBe(before.stdout);
  });

  it('that changes the limits of the runner ends the environment', async () => {
    const environment = await start();
    const command = 'prlimit --nofile=50:50 --pid $(pgrep -f aws-lambda-ric | head -1)';
    const { suspicious } = await runIn(environment, command);
    expect(suspicious).toEqual(['the limits of the runner were changed']);
    await environment.ended;
  });
});
