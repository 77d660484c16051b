import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectTo, Listener } from './listener.ts';
import { errorText, text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';

describeSandboxed('a sandboxed command', (run) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'errand-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has the environment that it was given, over a small one of its own', async () => {
    const outcome = await run(['/usr/bin/env'], { env: { GREETING: 'hé\nllo', HOME: '/tmp' } });
    const [path, home, pwd, lang, ...rest] = text(outcome).split('\n');
    expect(path).toMatch(/^PATH=.*\/usr\/bin/);
    expect([home, pwd, lang]).toEqual(['HOME=/tmp', 'PWD=/work', 'LANG=C.UTF-8']);
    expect(rest).toEqual(['GREETING=hé', 'llo', '']);
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

  it('is user 1000 without capabilities, on a host called sandbox, in /work', async () => {
    const outcome = await run('id; uname -n; pwd; grep -E "^(Cap|NoNewPrivs)" /proc/self/status');
    expect(text(outcome).split('\n')).toEqual([
      'uid=1000(errand) gid=1000(errand) groups=1000(errand)',
      'sandbox',
      '/work',
      ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(
        (cap) => `${cap}:\t${'0'.repeat(16)}`,
      ),
      'NoNewPrivs:\t1',
      '',
    ]);
  });

  it('sees no file of the host outside of /usr, and not the project', async () => {
    const canary = join(folder, 'canary');
    writeFileSync(canary, 'secret', { mode: 0o644 });
    const outcome = await run(
      `cat ${canary} ${import.meta.filename} /etc/hostname /etc/shadow; ls /home /root /sys /run /opt`,
    );
    expect(text(outcome)).toBe('');
    expect(text(await run('ls /etc; cat /etc/passwd'))).toBe(
      'alternatives\ngroup\nhosts\nld.so.cache\npasswd\nroot:x:0:0:root:/root:/bin/sh\nerrand:x:1000:1000:errand:/work:/bin/sh\n',
    );
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
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
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
    expect(text(outcome)).toBe('1000\n1000\n');
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
    expect(text(await run('tty; (exec 3</dev/tty) && echo terminal; ls /dev'))).toBe(
      'not a tty\nfd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n',
    );
  });

  it('finds nothing of an earlier command', async () => {
    const places = '/work /tmp /var/tmp /dev/shm /var';
    const before = text(await run(`ls -A ${places}`));
    await run(`for place in ${places}; do touch $place/left-behind; done; chmod 0 /proc/self/fd/1`);
    expect(text(await run(`ls -A ${places}`))).toBe(before);
    expect(before).not.toContain('left-behind');
  });

  it('runs beside others without seeing them', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        run(
          `touch /work/${index}; sleep 0.2; ls /work; ls /proc > /tmp/all; grep -c '^[0-9]' /tmp/all`,
        ),
      ),
    );
    expect(outcomes.map(text)).toEqual(outcomes.map((_, index) => `${index}\n3\n`));
  });
});
