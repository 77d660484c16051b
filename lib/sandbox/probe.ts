import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { remedyFor } from './remedies.ts';
import { type Limits, type Outcome, type Sandbox, SandboxError } from './sandbox.ts';

/** Enough for a shell and its tools; a probe that needs more has gone wrong. */
const probeLimits: Limits = {
  wallMs: 10_000,
  cpuMs: 5_000,
  memoryBytes: 256 * 1024 ** 2,
  processes: 16,
  fileBytes: 1024 ** 2,
  diskBytes: 1024 ** 2,
  openFiles: 64,
  stdoutBytes: 64 * 1024,
  stderrBytes: 64 * 1024,
};

/** Tries the port, and says so: a host without the means to try would look well isolated. */
const connectScript = `
  use Socket;
  print "tried\\n";
  socket my $s, PF_INET, SOCK_STREAM, 0 or exit;
  connect $s, sockaddr_in($ARGV[0], INADDR_LOOPBACK) and print "connected\\n";`;

/**
 * Shows by trying that a sandbox isolates here: a command runs; a file of the host, a TCP listener
 * of the host and the worker's environment are out of its reach; memory is watched. The file and
 * the listener are made for this, so that a refusal cannot have another reason.
 * @throws SandboxError naming the first thing that does not hold, with the remedy if we know it.
 */
export async function probeIsolation(sandbox: Sandbox): Promise<void> {
  await expectRuns(sandbox);
  await expectFilesHidden(sandbox);
  await expectNetworkClosed(sandbox);
  await expectEnvironmentHidden(sandbox);
  await expectMemoryWatched(sandbox);
}

async function expectRuns(sandbox: Sandbox): Promise<void> {
  try {
    const outcome = await runShell(sandbox, 'echo ready');
    if (outcome.stdout.bytes.toString() === 'ready\n') return;
    throw new SandboxError(`\`echo ready\` failed in it: ${outcome.stderr.bytes}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`${reason}\n${remedyFor(reason)}`, { cause: error });
  }
}

async function expectFilesHidden(sandbox: Sandbox): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'errand-probe-'));
  try {
    const path = join(folder, 'canary');
    await writeFile(path, 'canary', { mode: 0o644 });
    const { stdout } = await runShell(sandbox, `cat ${path}; ls ${folder} ${import.meta.filename}`);
    if (stdout.totalBytes > 0) throw new SandboxError('a command could read a file of this host');
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function expectNetworkClosed(sandbox: Sandbox): Promise<void> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const port = await listenOnLoopback(server);
  try {
    const argv = ['/usr/bin/perl', '-e', connectScript, String(port)];
    const { stdout } = await run(sandbox, { kind: 'argv', argv });
    if (stdout.bytes.toString() !== 'tried\n' || connections > 0) {
      throw new SandboxError('a command could reach, or could not try, a TCP port of this host');
    }
  } finally {
    server.close();
  }
}

async function expectEnvironmentHidden(sandbox: Sandbox): Promise<void> {
  const own = readFileSync('/proc/self/environ');
  const canary = `errand-probe-${performance.now()}`;
  process.env.ERRAND_PROBE = canary;
  try {
    const { stdout } = await runShell(sandbox, 'env; cat /proc/[0-9]*/environ');
    if (stdout.bytes.includes(canary) || (own.length > 0 && stdout.bytes.includes(own))) {
      throw new SandboxError("a command could read this worker's environment");
    }
  } finally {
    delete process.env.ERRAND_PROBE;
  }
}

/** With a limit of one byte, whatever lives long enough to be measured is over it. */
async function expectMemoryWatched(sandbox: Sandbox): Promise<void> {
  const { ending } = await runShell(sandbox, 'sleep 5', { ...probeLimits, memoryBytes: 1 });
  if (ending.kind === 'outOfMemory') return;
  throw new SandboxError(
    'the memory of a command cannot be measured; a worker that is root needs CAP_SYS_PTRACE for it (in a container `--cap-add SYS_PTRACE`), one that is not root needs nothing',
  );
}

function runShell(sandbox: Sandbox, command: string, limits = probeLimits): Promise<Outcome> {
  return run(sandbox, { kind: 'shell', command }, limits);
}

function run(
  sandbox: Sandbox,
  program: Parameters<Sandbox['run']>[0]['program'],
  limits = probeLimits,
): Promise<Outcome> {
  const command = { program, stdin: Buffer.alloc(0), env: {} };
  return sandbox.run(command, limits, () => {}, new AbortController().signal);
}

function listenOnLoopback(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
