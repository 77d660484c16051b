import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { processesWith, uniqueSeconds } from '../support/processes.ts';
import { describeLaunchers, open, run, text } from './launcher-fixture.ts';

describeLaunchers('the isolation of a command', (exec, { options, ownUid }) => {
  describe('what a command sees', () => {
    it('is an environment with nothing of ours', async () => {
      const outcome = await exec(['env'], { env: { GIVEN: 'x y', PATH: '/usr/bin' } });
      const names = text(outcome)
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0]);
      expect(names.sort()).toEqual(
        [
          ...(options.tier === 'namespaces' ? [] : ['TMPDIR']),
          'GIVEN',
          'HOME',
          'LANG',
          'PATH',
          'PWD',
        ].sort(),
      );
    });

    it('is three open files', async () => {
      const outcome = await exec([
        'sh',
        '-c',
        'for f in 3 4 5 6 7 8 9; do [ -e /dev/fd/$f ] && echo $f; done; :',
      ]);
      expect(text(outcome)).toBe('');
    });

    it('is no capability, no way to gain privileges, and a filter', async () => {
      if (options.tier !== 'namespaces') return; // /proc is out of sight in the others
      const outcome = await exec(
        'grep -E "^(CapPrm|CapEff|NoNewPrivs|Seccomp):" /proc/self/status',
      );
      expect(text(outcome).replace(/\t/g, ' ')).toBe(
        'CapPrm: 0000000000000000\nCapEff: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n',
      );
    });

    it('is no secret of its supervisor', async () => {
      const spy =
        'cat /proc/$PPID/environ /proc/$PPID/maps; ls /proc/$PPID/fd/; tr "\\0" " " < /proc/$PPID/cmdline';
      const { stdout } = await exec(spy);
      expect(stdout.bytes.toString().trim()).toBe(options.tier === 'namespaces' ? 'launcher' : '');
    });

    it('is not what we hide of /usr', async () => {
      const hiding = open({ ...options, hiddenPaths: ['/usr/share/doc', '/usr/lib/locale'] });
      const outcome = await run(
        hiding,
        'ls -A /usr/share/doc; ls -A /usr/lib/locale; wc -c < /usr/bin/env',
      );
      await hiding.close();
      expect(text(outcome)).toMatch(/^\d+\n$/);
    });

    it('cannot hide memory behind a name', async () => {
      const program =
        'open F, ">", "/proc/self/comm"; print F "VmRSS: 1"; close F; $x = "a" x (150 << 20); sleep 5';
      const { ending } = await exec(['perl', '-e', `$0 = "VmRSS: 1"; ${program}`], {
        limits: { memoryBytes: 64 * 2 ** 20 },
      });
      expect(ending.kind).toBe('outOfMemory');
    });

    it('is no network', async () => {
      let called = 0;
      const server = createServer(() => called++).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as { port: number };
      const call = `import socket; socket.create_connection(("127.0.0.1", ${port}))`;
      const { ending } = await exec(['python3', '-c', call]);
      server.close();
      expect(ending).toEqual({ kind: 'exited', exitCode: 1 });
      expect(called).toBe(0);
    });

    it('is not who we are', async () => {
      const outcome = await exec('id -u');
      if (options.tier === 'namespaces') expect(text(outcome)).toBe('1000\n');
      if (ownUid) expect(text(outcome)).not.toBe('0\n');
    });

    it('cannot kill its supervisor', async () => {
      const { ending } = await exec(
        'kill -9 $PPID; kill -TERM $PPID; kill -CHLD $PPID; sleep 0.1; exit 6',
      );
      expect(ending).toEqual({ kind: 'exited', exitCode: 6 });
    });
  });

  describe('what is left', () => {
    it('is nothing of a daemon', async () => {
      const seconds = uniqueSeconds();
      const outcome = await exec(
        `(setsid sh -c 'sleep ${seconds} & setsid sleep ${seconds}' >/dev/null 2>&1 &) ; sleep 0.1; echo up`,
      );
      expect(text(outcome)).toBe('up\n');
      expect(processesWith(seconds)).toEqual([]);
    });

    it('is nothing after a cancel', async () => {
      const seconds = uniqueSeconds();
      const controller = new AbortController();
      const onOutput = () => controller.abort();
      const command = `trap '' TERM; echo started; setsid sleep ${seconds} & sleep ${seconds}`;
      const outcome = await exec(command, { signal: controller.signal, onOutput });
      expect(outcome.ending).toEqual({ kind: 'aborted' });
      expect(text(outcome)).toBe('started\n');
      expect(processesWith(seconds)).toEqual([]);
    });

    it('is nothing when it was cancelled before it began', async () => {
      const { ending } = await exec('sleep 60', { signal: AbortSignal.abort() });
      expect(ending).toEqual({ kind: 'aborted' });
    });

    it('is no file for the next command', async () => {
      const tmp = options.tier === 'namespaces' ? '/tmp' : '"$TMPDIR"';
      await exec(`mkdir -p a/b; echo x > a/b/c; echo y > ${tmp}/d; chmod 000 a; ln -s / root`);
      for (let next = 0; next < 5; next++) {
        expect(text(await exec(`ls -A . ${tmp} /dev/shm 2>/dev/null | grep -v : | grep .`))).toBe(
          '',
        );
      }
    });

    it('is no file of folders nested deeper than descriptors reach', async () => {
      const nest = 'import os\nfor i in range(3000): os.mkdir("d"); os.chdir("d")\nopen("f", "w")';
      expect((await exec(['python3', '-c', nest])).ending).toEqual({
        kind: 'exited',
        exitCode: 0,
      });
      expect(text(await exec('ls -A'))).toBe('');
    });
  });
});
