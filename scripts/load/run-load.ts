import { randomUUID } from 'node:crypto';
import { Failure } from '../failure.ts';
import { arrivals, type Phase, totalSeconds } from './arrivals.ts';
import { type Client, openClient } from './client.ts';
import { dispatch } from './dispatch.ts';
import { drain, followTasks } from './drain.ts';
import { lookOn, type Progress } from './look-on.ts';
import type { SampleMemory } from './memory.ts';
import type { MixName } from './mixes.ts';
import { makeOperations } from './operations.ts';
import { openRecorder } from './recorder.ts';
import { makeReport, type Report } from './report.ts';
import { createSeeds } from './seeds.ts';
import { openServerClock } from './server-clock.ts';
import { readTaskFigures } from './task-figures.ts';

/** For what is asked beside the load: figures, and the tasks at the end. */
const ASIDE = { connections: 2, timeoutMs: 30_000 };
/** So many stretches the time of a run is cut into at most: what a picture can show. */
const MAX_BINS = 240;
const BIN_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/** Where the load goes, and how much of it. */
export interface Plan {
  readonly url: string;
  readonly key: string | undefined;
  readonly phases: readonly Phase[];
  readonly mix: MixName;
  readonly maxOpen: number;
  readonly timeoutSeconds: number;
  /** So long is waited for the tasks to end, once all requests were answered. */
  readonly drainSeconds: number;
}

export interface Watchers {
  readonly onProgress: (progress: Progress) => void;
  /** Ends the run early. What was is reported all the same. */
  readonly signal: AbortSignal;
  /** Undefined where the server's processes are not at hand. */
  readonly sampleMemory: SampleMemory | undefined;
}

/** @throws Failure when errand does not answer as it should before the load */
export async function runLoad(plan: Plan, watchers: Watchers): Promise<Report> {
  const timeoutMs = plan.timeoutSeconds * 1000;
  const client = openClient({ ...plan, connections: plan.maxOpen, timeoutMs });
  const aside = openClient({ ...plan, ...ASIDE });
  try {
    return await measure(plan, { client, aside, ...watchers });
  } finally {
    await Promise.all([client.cutOff(), aside.cutOff()]);
  }
}

async function measure(
  plan: Plan,
  { client, aside, signal, ...watchers }: Watchers & { client: Client; aside: Client },
): Promise<Report> {
  const run = randomUUID();
  const known = await createSeeds(aside, run, plan.url);
  const binMs = binSeconds(totalSeconds(plan.phases)) * 1000;
  const recorder = openRecorder(binMs);
  const operations = makeOperations({ client, mix: plan.mix, run, known });
  const cut = () => void client.cutOff();
  signal.addEventListener('abort', cut);

  const [startedAt, beganAt] = [performance.now(), Date.now()];
  const clock = openServerClock(beganAt);
  const elapsedMs = () => performance.now() - startedAt;
  const looking = lookOn({ ...watchers, aside, recorder, elapsedMs });
  await dispatch(
    {
      arrivals: arrivals(plan.phases),
      maxOpen: plan.maxOpen,
      signal,
      unsent: recorder.unsent,
      async send(arrival) {
        recorder.sent(arrival);
        const operation = operations.operationOf(arrival.number);
        const answer = await operations.perform(operation, arrival.number);
        const doneMs = elapsedMs();
        recorder.answered(operation, arrival, answer, doneMs);
        if (operation === 'create') clock.note(answer, doneMs);
      },
    },
    startedAt,
  );
  signal.removeEventListener('abort', cut);
  const answeredSeconds = elapsedMs() / 1000;
  looking.enter('draining');
  const unread = await drain(aside, run, { seconds: plan.drainSeconds, signal });
  const drainedSeconds = elapsedMs() / 1000;
  looking.enter('reading');
  const times = { beganAt: clock.beganAt(), binMs };
  const tasks = unread ?? (await followTasks(aside, run, times));
  const memory = await looking.end();
  return makeReport({
    plan,
    run,
    startedAt: new Date(beganAt),
    endedEarly: signal.aborted,
    answeredSeconds,
    drainedSeconds,
    binSeconds: binMs / 1000,
    requests: recorder.figures(),
    tasks: tasks instanceof Failure ? await readTaskFigures([], times) : tasks,
    tasksUnread: tasks instanceof Failure ? tasks.message : null,
    memory,
  });
}

function binSeconds(seconds: number): number {
  return BIN_SECONDS.find((each) => seconds / each <= MAX_BINS) ?? seconds / MAX_BINS;
}
