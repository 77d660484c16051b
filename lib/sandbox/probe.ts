import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingCapabilities } from './remedies.ts';
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

/**
 * Tries the port with the first program that can, and says so: a host without the means to try
 * would look well isolated.
 */
const connectScript = `
  if command -v perl; then
    echo tried
    exec perl -e 'use Socket;
      socket my $s, PF_INET, SOCK_STREAM, 0 or exit;
      connect $s, sockaddr_in($ARGV[0], INADDR_LOOPBACK)' "$PORT"
  elif command -v bash; then
    echo tried
    exec bash -c ': < /dev/tcp/127.0.0.1/$PORT'
  elif command -v nc; then
    echo tried
    exec nc -z 127.0.0.1 "$PORT"
  elif command -v python3; then
    echo tried
    exec python3 -c 'import os, socket
socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))'
  fi`;

/**
 * Shows by trying that a sandbox isolates here: a command runs; a file of the host, a TCP listener
 * of the host and the worker's environment are out of its reach; memory is limited. The file and
 * the listener are made for this, so that a refusal cannot have another reason.
 * @throws SandboxError naming the first thing that does not hold, with the remedy if we know it.
 */
export async function probeIsolation(sandbox: Sandbox): Promise<void> {
  expectCapabilities();
  await expectRuns(sandbox);
  await expectFilesHidden(sandbox);
  await expectNetworkClosed(sandbox);
  await expectEnvironmentHidden(sandbox);
  await expectMemoryLimited(sandbox);
}

/**
 * Commands of root run as other users. A root who may not signal those looks well until a command
 * runs for too long, and one who may not enter their folders until a command leaves a file.
 */
function expectCapabilities(): void {
  const missing = missingCapabilities();
  if (missing.length === 0) return;
  throw new SandboxError(`root has no right to ${missing.join(', ')} here`);
}

async function expectRuns(sandbox: Sandbox): Promise<void> {
  const { stdout, stderr } = await runShell(sandbox, 'echo ready');
  if (stdout.bytes.toString() === 'ready\n') return;
  throw new SandboxError(`\`echo ready\` fails in it: ${stderr.bytes}`);
}

async function expectFilesHidden(sandbox: Sandbox): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'errand-probe-'));
  try {
    const path = join(folder, 'canary');
    await writeFile(path, 'canary', { mode: 0o644 });
    const { stdout } = await runShell(sandbox, `cat ${path} ${import.meta.filename}; ls ${folder}`);
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
    const { stdout } = await runShell(sandbox, connectScript, { env: { PORT: String(port) } });
    if (!stdout.bytes.includes('tried')) {
      throw new SandboxError('nothing here can try a TCP port: install perl, bash, nc or python3');
    }
    if (connections > 0) throw new SandboxError('a command could reach a TCP port of this host');
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

/** Far more than the limit, touched page by page, and held: on a busy machine the watch looks late. */
async function expectMemoryLimited(sandbox: Sandbox): Promise<void> {
  const limits = { ...probeLimits, memoryBytes: 16 * 1024 ** 2 };
  const fill = 'dd if=/dev/zero bs=256M count=1 2>/dev/null | sleep 2';
  const { ending } = await runShell(sandbox, fill, { limits });
  if (ending.kind === 'outOfMemory') return;
  throw new SandboxError('a command could use more memory than its limit');
}

function runShell(
  sandbox: Sandbox,
  command: string,
  { limits = probeLimits, env = {} }: { limits?: Limits; env?: Record<string, string> } = {},
): Promise<Outcome> {
  return sandbox.run(
    { program: { kind: 'shell', command }, stdin: Buffer.alloc(0), env },
    limits,
    () => {},
    new AbortController().signal,
  );
}

function listenOnLoopback(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
