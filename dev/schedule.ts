import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScheduledEvent } from 'aws-lambda';
import { describeFailure, type Invocation } from './lambda-endpoint.ts';

export interface Schedule {
  /** No further invocation starts; waits for the running one, at most that long. */
  stop(graceMs: number): Promise<void>;
}

export interface ScheduleOptions {
  readonly everyMs: number;
  readonly region: string;
  /** The event's own input; without one, the event that EventBridge would send. */
  readonly input?: unknown;
  readonly invoke: (event: unknown) => Promise<Invocation>;
  /** Hears the first of a row of failures, and undefined when it is over. */
  readonly report: (failure: string | undefined) => void;
}

/** Invokes a function again and again, never while its last invocation is still running. */
export function startSchedule(options: ScheduleOptions): Schedule {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failing = false;

  async function tick(): Promise<void> {
    const startedAt = Date.now();
    const failure = await invokeOnce(options);
    if (failure !== undefined && !failing) options.report(failure);
    if (failure === undefined && failing) options.report(undefined);
    failing = failure !== undefined;
    if (!stopped) schedule(Math.max(0, options.everyMs - (Date.now() - startedAt)));
  }

  let running = Promise.resolve();
  function schedule(delayMs: number) {
    timer = setTimeout(() => {
      running = tick();
    }, delayMs);
  }

  schedule(0);
  return {
    async stop(graceMs) {
      stopped = true;
      clearTimeout(timer);
      await Promise.race([running, sleep(graceMs, undefined, { ref: false })]);
    },
  };
}

async function invokeOnce({ invoke, input, region }: ScheduleOptions): Promise<string | undefined> {
  try {
    const { payload, failed } = await invoke(input ?? scheduledEvent(region));
    return failed ? describeFailure(payload) : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html */
function scheduledEvent(region: string): ScheduledEvent {
  return {
    id: randomUUID(),
    version: '0',
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: '000000000000',
    time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    region,
    resources: [`arn:aws:events:${region}:000000000000:rule/local`],
    detail: {},
  };
}
