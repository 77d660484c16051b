/** `npm start`: all of errand on this machine, without Docker, in one process tree. */
import { dirname } from 'node:path';
import { openJsonTerminal } from './json-terminal.ts';
import { openLocalState } from './local-state.ts';
import { tryLock } from './lock.ts';
import { openProgress } from './progress.ts';
import { Refusal } from './refusal.ts';
import { endLeftovers, readRunning, recordRunning } from './running-record.ts';
import { publicUrl, readSettings, refuseTakenPort } from './settings.ts';
import { type Stack, startStack } from './stack.ts';
import { watchStopRequests } from './stop-requests.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { untilUnexpected } from './unexpected.ts';

const terminal = process.env.LOG_FORMAT === 'json' ? openJsonTerminal() : openTerminal();
process.exitCode = await start(terminal).catch((error: unknown) => {
  if (error instanceof Refusal) terminal.problem(error.message, error.remedy);
  else terminal.problem(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
});
process.exit();

/** Runs until it is asked to stop (0) or cannot go on (1). */
async function start(terminal: Terminal): Promise<number> {
  const project = dirname(import.meta.dirname);
  const settings = readSettings(process.env);
  const url = publicUrl(settings);
  const state = openLocalState(project);

  const unexpected = untilUnexpected();

  // The record as well, because a lock that somebody removed can be taken while its holder runs.
  const lock = tryLock(state.path('lock'));
  const running = readRunning(state);
  if (lock === undefined || running !== undefined) throw alreadyRunning(running);
  const leftovers = await endLeftovers(state);
  await refuseTakenPort(settings);

  const stop = watchStopRequests();
  const progress = openProgress(terminal);
  const recorder = recordRunning(state, url);
  terminal.heading('errand');
  if (leftovers > 0) progress.note('ended what a killed start had left running');

  const stack = startStack({ project, settings, state, recorder, progress });
  const failure = await Promise.race([
    untilFailure(stack, () => progress.ready(url, settings)),
    stop.requested,
    unexpected,
  ]);

  progress.stopping();
  if (failure === undefined) terminal.line('\n  stopping; once more stops at once');
  else terminal.problem(failure.message, failure instanceof Refusal ? failure.remedy : undefined);
  const stoppingAt = performance.now();
  void stop.again.then(() => stack.kill());
  await stack.stop();
  recorder.clear();
  terminal.line(`  stopped in ${((performance.now() - stoppingAt) / 1000).toFixed(1)} s`);
  return failure === undefined ? 0 : 1;
}

function alreadyRunning(running: ReturnType<typeof readRunning>): Refusal {
  const where = running === undefined ? '' : ` (process ${running.pid}, ${running.url})`;
  return new Refusal(
    `errand is running from this directory already${where}.`,
    'Use that one, or stop it first with Ctrl-C in its terminal' +
      `${running === undefined ? '' : ` or with: kill ${running.pid}`}`,
  );
}

/** Answers why the stack is of no use any more. */
async function untilFailure(stack: Stack, onReady: () => void): Promise<Error> {
  const gaveUp = stack.gaveUp.then(
    (part) => new Error(`${part} keeps crashing, so everything is stopped.`),
  );
  // A part can crash for good before the others are ready, and these then wait for it in vain.
  const failure = await Promise.race([gaveUp, stack.ready]).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  if (failure instanceof Error) return failure;
  onReady();
  return gaveUp;
}
