import { randomBytes } from 'node:crypto';
import { encodeRequest, makeFrameReader } from '../../lib/sandbox/launcher-protocol.ts';
import { makeUnsealer, type RunnerRequest } from '../../lib/sandbox/runner-protocol.ts';
import type { Limits } from '../../lib/sandbox/sandbox.ts';
import type { Environment } from './environment.ts';

/** What came back from a runner for one command, as its worker would read it. */
export interface RunnerAnswer {
  readonly stdout: string;
  readonly stderr: string;
  readonly report: { readonly cause: string; readonly exitCode: number | null } | undefined;
  readonly suspicious: readonly string[] | undefined;
  readonly trouble: string | undefined;
}

export const limits: Limits = {
  wallMs: 10_000,
  cpuMs: 10_000,
  memoryBytes: 128 * 2 ** 20,
  processes: 32,
  fileBytes: 2 ** 20,
  diskBytes: 4 * 2 ** 20,
  openFiles: 64,
  stdoutBytes: 2 ** 20,
  stderrBytes: 2 ** 20,
};

/** Invokes a runner with a shell command, past the worker. */
export async function runIn(
  environment: Environment,
  command: string,
  options: {
    tenant?: string;
    onOutput?: (text: string) => void;
    limits?: Limits;
    answer?: RunnerRequest['answer'];
  } = {},
): Promise<RunnerAnswer> {
  const {
    tenant = 'acme',
    onOutput = () => {},
    limits: own = limits,
    answer: how = 'streamed',
  } = options;
  const key = randomBytes(32);
  const answer = { stdout: '', stderr: '' } as {
    -readonly [K in keyof RunnerAnswer]: RunnerAnswer[K];
  };
  const readFrames = makeFrameReader((frame) => {
    if (frame.kind === 'report') {
      answer.report = frame.report;
      return;
    }
    answer[frame.stream] += frame.bytes.toString();
    onOutput(frame.bytes.toString());
  });
  const unseal = makeUnsealer(key, (kind, body) => {
    if (kind === 'bytes') readFrames(body);
    if (kind === 'trouble') answer.trouble = body.toString();
    if (kind === 'farewell') answer.suspicious = JSON.parse(body.toString()).suspicious;
  });
  const program = { kind: 'shell' as const, command };
  const request: RunnerRequest = {
    request: encodeRequest({ program, stdin: Buffer.of(), env: {} }, own).toString('base64'),
    wallMs: own.wallMs,
    memoryBytes: own.memoryBytes,
    key: key.toString('base64'),
    answer: how,
  };
  const onBytes = how === 'streamed' ? unseal : () => {};
  const { body } = await environment.invoke(request, { tenant, onBytes });
  if (how === 'buffered') unseal(Buffer.from(JSON.parse(body.toString()), 'base64'));
  return answer;
}
