import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ending, Sandbox } from '../../../lib/sandbox/sandbox.ts';

/**
 * Runs commands as anybody would without a sandbox: a folder, a shell and a time limit. What the
 * attacks do to it shows that the checks can fail.
 */
export function makeBareRunner(): Sandbox {
  return {
    tier: 'none',
    run(command, limits, onOutput, signal) {
      const cwd = mkdtempSync(join(tmpdir(), 'bare-'));
      const { program } = command;
      const argv = program.kind === 'shell' ? ['/bin/sh', '-c', program.command] : program.argv;
      const child = spawn(argv[0] ?? '', argv.slice(1), {
        cwd,
        env: { PATH: process.env.PATH, ...command.env },
      });
      const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].on('data', (bytes: Buffer) => {
          kept[stream].push(bytes);
          onOutput({ stream, bytes });
        });
      }
      child.stdin.on('error', () => {}).end(command.stdin);
      let late = false;
      const timer = setTimeout(
        () => {
          late = true;
          child.kill('SIGTERM');
          setTimeout(() => child.kill('SIGKILL'), 500).unref();
        },
        limits.wallMs > 60_000 ? limits.wallMs : Math.min(limits.wallMs, 8_000),
      );
      signal.addEventListener('abort', () => child.kill('SIGKILL'));
      const captured = (chunks: Buffer[]) => {
        const bytes = Buffer.concat(chunks);
        return { bytes, totalBytes: bytes.length, truncated: false };
      };
      return new Promise((resolve) => {
        const settle = (ending: Ending) => {
          clearTimeout(timer);
          removeAsFarAsPossible(cwd);
          const usage = { wallMs: null, cpuMs: null, maxRssBytes: null };
          const { stdout, stderr } = kept;
          resolve({ ending, usage, stdout: captured(stdout), stderr: captured(stderr) });
        };
        child.once('error', () => settle({ kind: 'exited', exitCode: 126 }));
        child.once('exit', (exitCode, name) => {
          const end = () => {
            if (late) settle({ kind: 'timedOut', limitMs: limits.wallMs });
            else if (name !== null) settle({ kind: 'signalled', signal: name });
            else settle({ kind: 'exited', exitCode: exitCode ?? 0 });
          };
          // All that it wrote; what it left behind may hold its pipes for ever.
          const held = setTimeout(end, 300);
          child.once('close', () => {
            clearTimeout(held);
            end();
          });
        });
      });
    },
    async close() {},
  };
}

/** A bare command can leave what its own user may not remove: folders without rights, immutable files. */
function removeAsFarAsPossible(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // The test's own folder around it is removed by root, or by hand.
  }
}
