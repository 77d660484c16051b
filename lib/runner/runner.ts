import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Context } from 'aws-lambda';
import { makeSealer, type RunnerRequest } from '../sandbox/runner-protocol.ts';
import { hideProcess } from './hide.ts';
import { type Baseline, sweep, takeBaseline } from './microvm.ts';
import { nativeFile } from './native-files.ts';
import { runLauncher } from './run-command.ts';

/** What Lambda puts into a function's globals. */
declare const awslambda: { streamifyResponse(handler: Handler): Handler } | undefined;

type Handler = (
  request: RunnerRequest,
  /** Where the function is not invoked by AWS, its context: nobody streams there. */
  answer: Writable | Context,
  context?: Context | ((...args: never[]) => void),
) => Promise<string | undefined>;

/** Of the function's memory: for Node, this code and the launcher. */
const OWN_MEMORY_BYTES = 256 * 1024 ** 2;
/** Of the function's time, for ending the command and sweeping after it. */
const END_MARGIN_MS = 5000;

/**
 * What a Lambda environment has to itself, and `npm start` has not: there, processes and files beside
 * ours are somebody else's. Made before the first command.
 */
const microvm = process.env.AWS_LAMBDA_RUNTIME_API === undefined ? undefined : enterMicrovm();
let servedTenant: string | undefined;

function enterMicrovm(): Baseline {
  hideProcess(nativeFile('undumpable.node'));
  return takeBaseline();
}

const run: Handler = async (request, answer, context) => {
  const stream = 'write' in answer ? answer : undefined;
  const pieces: Buffer[] = [];
  const live = stream !== undefined && request.answer === 'streamed';
  const suspicious = await serve(request, (stream ? context : answer) as Context, (bytes) => {
    if (live) stream.write(bytes);
    else pieces.push(bytes);
  });
  const inOnePiece = Buffer.concat(pieces).toString('base64');
  if (stream === undefined) return inOnePiece;
  const finished = once(stream, 'finish');
  if (live) stream.end();
  else stream.end(JSON.stringify(inOnePiece));
  await finished;
  // Before Lambda is asked for the next command: this environment must not see it.
  if (suspicious.length > 0) process.exit(1);
  return undefined;
};

/** Runs one command, and sweeps. Resolves with what makes this environment not fit for another. */
async function serve(
  request: RunnerRequest,
  context: Context,
  write: (bytes: Buffer) => void,
): Promise<string[]> {
  const seal = makeSealer(Buffer.from(request.key, 'base64'));
  const suspicious: string[] = [];
  const refusal = whyNot(request, context);
  if (refusal === undefined) {
    const deadline = AbortSignal.timeout(context.getRemainingTimeInMillis() - END_MARGIN_MS);
    try {
      await runLauncher({
        launcher: nativeFile('launcher'),
        request: Buffer.from(request.request, 'base64'),
        cancelUrl: request.cancelUrl,
        deadline,
        onBytes: (bytes) => write(seal('bytes', bytes)),
      });
    } catch (error) {
      suspicious.push(String(error));
    }
  } else {
    write(seal('trouble', Buffer.from(refusal)));
  }
  if (microvm) suspicious.push(...(await sweep(microvm)));
  if (servedTenant !== (context.tenantId ?? servedTenant)) suspicious.push('two tenants');
  write(seal('farewell', Buffer.from(JSON.stringify({ suspicious }))));
  return suspicious;
}

/** Why a command cannot run here; undefined when it can. */
function whyNot(request: RunnerRequest, context: Context): string | undefined {
  servedTenant ??= context.tenantId;
  if (context.tenantId !== servedTenant) return 'this environment belongs to another tenant';
  const memoryBytes = Number(context.memoryLimitInMB) * 1024 ** 2;
  if (microvm && request.memoryBytes + OWN_MEMORY_BYTES > memoryBytes) {
    return `it asks for more memory than a function of ${context.memoryLimitInMB} MB can give`;
  }
  if (microvm && request.wallMs + 2 * END_MARGIN_MS > context.getRemainingTimeInMillis()) {
    return 'it asks for more time than the function has';
  }
  return undefined;
}

/** The handler, marked as one that streams where Lambda is there to stream. */
export const runner: Handler =
  typeof awslambda === 'undefined' ? run : awslambda.streamifyResponse(run);
