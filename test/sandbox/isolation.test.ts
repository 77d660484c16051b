import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { processesWith, uniqueSeconds } from '../support/processes.ts';
import { connectTo, Listener } from './listener.ts';
import { errorText, text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';
import { tierTraits } from './tiers.ts';

const isRoot = process.getuid?.() === 0;

describeSandboxed('a sandboxed command', (run, tier) => {
  const traits = tierTraits[tier];
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'errand-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has the environment that it was given, over a small one of its own', async () => {
    const outcome = await run('env -0', { env: { GREETING: 'hé\nllo', HOME: '/tmp' } });
    const variables = text(outcome).split('\0').filter(Boolean);
    const { PATH, PWD, ...rest } = Object.fromEntries(variables.map((line) => line.split('=')));
    expect(PATH).toMatch(/\/usr\/bin/);
    expect(PWD).toMatch(traits.hasOwnFileTree ? /^\/work$/ : /\/errand-work-\w+\/\d+$/);
    const expected = { GREETING: 'hé\nllo', HOME: '/tmp', LANG: 'C.UTF-8' };
    expect(rest).toEqual(traits.hasOwnFileTree ? expected : { ...expected, TMPDIR: PWD });
  });

  it('reads no environment of the host in /proc', async () => {
    const outcome = await run("cat /proc/[0-9]*/environ | tr '\\0' '\\n' | sort -u", {
      env: { ONLY: 'mine' },
    });
    const names = text(outcome)
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names.filter((name) => !['PATH', 'HOME', 'PWD', 'LANG', 'ONLY'].includes(name ?? ''))) //
      .toEqual(['']);
  });

  it('is a user without a name on the host, in a folder of its own', async () => {
    const [user, node, folder] = text(await run('id; uname -n; pwd')).split('\n');
    if (traits.hasOwnFileTree) {
      expect(user).toBe('uid=1000(errand) gid=1000(errand) groups=1000(errand)');
      expect([node, folder]).toEqual(['sandbox', '/work']);
    } else {
      const uid = isRoot ? '6\\d{4}' : `${process.getuid?.()}`;
      expect(user).toMatch(new RegExp(`^uid=${uid}`));
      expect(node).toBe(hostname());
      expect(folder).toMatch(/\/errand-work-\w+\/\d+$/);
    }
  });

  it('has no capability, and no way to gain one', async () => {
    const status = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']
      .map((set) => `${set}:\t${'0'.repeat(16)}\n`)
      .join('');
    const seconds = uniqueSeconds();
    const ending = new AbortController();
    let seen = '';
    await run(`echo up; exec sleep ${seconds}`, {
      signal: ending.signal,
      onOutput: () => {
        // Looked at from outside, where /proc is always readable.
        void vi
          .waitFor(() => {
            const [pid] = processesWith(`sleep\0${seconds}`);
            seen = readFileSync(`/proc/${pid}/status`, 'utf8');
          }, 5000)
          .finally(() => ending.abort());
      },
    });
    const lines = seen.split('\n').filter((line) => /^(Cap|NoNewPrivs|Seccomp:)/.test(line));
    expect(`${lines.join('\n')}\n`).toBe(`${status}NoNewPrivs:\t1\nSeccomp:\t2\n`);
  });

  it('sees no file of the host outside of /usr, and not the project', async () => {
    const canary = join(folder, 'canary');
    writeFileSync(canary, 'secret', { mode: 0o644 });
    const outcome = await run(
      `cat ${canary} ${import.meta.filename} /etc/hostname /etc/shadow; ls /home /root /sys /run /opt`,
    );
    expect(text(outcome)).toBe('');
    const own =
      'alternatives\ngroup\nhosts\nld.so.cache\npasswd\nroot:x:0:0:root:/root:/bin/sh\nerrand:x:1000:1000:errand:/work:/bin/sh\n';
    const hosts = readFileSync('/etc/passwd', 'utf8'); // names of users, and the folder unlisted
    expect(text(await run('ls /etc; cat /etc/passwd'))).toBe(traits.hasOwnFileTree ? own : hosts);
    const found = text(await run('test -e /etc/shadow && echo exists'));
    expect(found).toBe(traits.seesPathsOfHost ? 'exists\n' : '');
  });

  it('does not reach a TCP port of the host', async () => {
    const server = await Listener.on({ host: '127.0.0.1', port: 0 });
    const outcome = await run(
      connectTo('PF_INET', 'sockaddr_in($at, INADDR_LOOPBACK)', server.port),
    );
    expect(text(outcome)).toBe('tried\n');
    expect(await server.close()).toBe(0);
  });

  it('does not reach a Unix socket in a folder of the host', async () => {
    const path = join(folder, 'socket');
    const server = await Listener.on({ path, writableAll: true });
    const outcome = await run(connectTo('PF_UNIX', 'sockaddr_un($at)', path));
    expect(text(outcome)).toBe('tried\n');
    expect(await server.close()).toBe(0);
  });

  it('does not reach an abstract Unix socket of the host', async () => {
    const path = `\0errand-test-${process.pid}`;
    const server = await Listener.on({ path });
    const outcome = await run(connectTo('PF_UNIX', 'sockaddr_un($at)', path));
    expect(text(outcome)).toBe('tried\n');
    expect(await server.close()).toBe(0);
  });

  it('signals no process of the host, though it has the same user', async () => {
    const user = isRoot ? { uid: 65534, gid: 65534 } : {};
    const canary = spawn('/usr/bin/sleep', ['600'], { ...user, cwd: '/', stdio: 'ignore' });
    const ended = new Promise((resolve) => canary.once('exit', (_, signal) => resolve(signal)));
    const outcome = await run(`kill -9 ${canary.pid}; echo tried; kill -9 -1; echo alone`);
    expect(text(outcome)).toMatch(/^tried\n/);
    canary.kill('SIGUSR1');
    expect(await ended).toBe('SIGUSR1');
  });

  it('cannot write to /usr, /etc, /dev, the root or /proc/sys', async () => {
    const outcome = await run(
      'for f in /usr/canary /usr/bin/env /etc/canary /etc/passwd /dev/canary /canary /proc/sys/kernel/domainname; do (echo x >> $f) && echo wrote $f; done; touch -c /usr/bin',
    );
    expect(text(outcome)).toBe('');
    expect(existsSync('/usr/canary')).toBe(false);
  });

  it('cannot mount, make namespaces, or become another user', async () => {
    const commands = [
      'mount -t tmpfs none /work',
      'umount /proc',
      'unshare --user true',
      'unshare --mount true',
      'unshare --user --net true',
      'chroot / true',
      'setpriv --reuid 0 true',
      'nsenter --target 1 --mount true',
      'hostname other',
      'dmesg',
    ];
    const outcome = await run(commands.map((line) => `${line} && echo did: ${line}`).join('; '));
    expect(text(outcome)).toBe('');
  });

  it('gains nothing from setuid programs', async () => {
    const outcome = await run('cp /usr/bin/id ./id; chmod u+s ./id; ./id -u; id -ru');
    const [effective, real] = text(outcome).trim().split('\n');
    expect(effective).toBe(real);
    expect(Number(real)).toBeGreaterThanOrEqual(1000);
    const su = await run('su -c id </dev/null; passwd -S root; sudo -n id');
    expect(text(su)).toBe('');
  });

  it('can neither read nor trace nor end its supervisor', async () => {
    const outcome = await run(
      'kill -9 1; kill -STOP 1; cat /proc/1/environ /proc/1/mem /proc/1/maps; ls /proc/1/fd /proc/1/root; echo > /proc/1/oom_score_adj; echo still here',
    );
    expect(text(outcome)).toBe('still here\n');
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(errorText(outcome)).not.toBe('');
  });

  it('finds no terminal and is first in its own session', async () => {
    const script = 'use POSIX; print getpgrp == $$ ? "first\\n" : "not first\\n"';
    expect(text(await run(['perl', '-e', script]))).toBe('first\n');
    const devices = 'fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n';
    expect(text(await run('tty; (exec 3</dev/tty) && echo terminal; ls /dev'))).toBe(
      `not a tty\n${traits.hasOwnFileTree ? devices : ''}`,
    );
  });

  it('finds nothing of an earlier command', async () => {
    const places = traits.hasOwnFileTree ? '/work /tmp /var/tmp /dev/shm /var' : '.';
    const before = text(await run(`ls -A ${places}`));
    const marked = await run(
      `for place in ${places}; do touch $place/left-behind; done; ls -A ${places}; chmod 0 /proc/self/fd/1`,
    );
    expect(text(marked)).toContain('left-behind');
    expect(text(await run(`ls -A ${places}`))).toBe(before);
    expect(before).not.toContain('left-behind');
  });

  it('runs beside others without seeing them', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        run(
          `touch ${index}; sleep 0.2; ls; set -- /proc/[0-9]*; test -e $1 && echo $#; ls ../[0-9]* && echo theirs`,
        ),
      ),
    );
    // itself and the supervisor; or nobody
    const seen = (index: number) => `${index}\n${traits.hasProc ? '2\n' : ''}`;
    expect(outcomes.map(text)).toEqual(outcomes.map((_, index) => seen(index)));
  });
});
