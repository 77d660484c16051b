import { resolveIntrinsics } from './cloudformation.ts';
import type { EventSource } from './event-source-mapping.ts';
import { type Queues, queueLookup } from './queues.ts';

/** A function of serverless.yml, as far as this folder reads it. */
export interface FunctionDefinition {
  /** The deployed name: service, stage and key. */
  readonly name: string;
  /** Seconds. */
  readonly timeout?: number;
  environment?: Record<string, unknown>;
  events: Record<string, unknown>[];
}

/** What one `sqs` event of a function asks for. */
export type SqsSettings = Omit<EventSource, 'region' | 'waitTimeSeconds'>;

/** AWS's own limits: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html */
const DEFAULT_BATCH_SIZE = 10;
/** AWS scales to 1,250 on its own; here the machine is one. */
const DEFAULT_CONCURRENCY = 10;

/**
 * Reads an `sqs` event. @throws when it names no queue of the template, or asks for what this
 * mapping does not do, rather than behave unlike AWS in silence.
 */
export function readSqsEvent(owner: string, event: unknown, queues: Queues): SqsSettings {
  const settings: Record<string, unknown> = isRecord(event) ? event : { arn: event };
  const arn = resolveIntrinsics(
    settings.arn,
    queueLookup(queues, () => undefined),
  );
  const queue = [...queues.values()].find((candidate) => candidate.arn === arn);
  if (queue === undefined) {
    throw new Error(
      `${owner}: the sqs event names no queue of the resources: ${JSON.stringify(arn)}`,
    );
  }
  for (const unsupported of ['filterPatterns', 'provisionedPollers']) {
    if (settings[unsupported] !== undefined) {
      throw new Error(`${owner}: ${unsupported} of an sqs event is not supported locally`);
    }
  }
  return {
    queueUrl: queue.url,
    queueArn: queue.arn,
    batchSize: number(settings.batchSize, DEFAULT_BATCH_SIZE),
    maximumBatchingWindowSeconds: number(settings.maximumBatchingWindow, 0),
    maximumConcurrency: number(settings.maximumConcurrency, DEFAULT_CONCURRENCY),
    reportBatchItemFailures: settings.functionResponseType === 'ReportBatchItemFailures',
  };
}

/** The events of one kind that are switched on, whatever their spelling. */
export function enabledEvents(definition: FunctionDefinition, kind: string): unknown[] {
  return definition.events
    .map((event) => event[kind])
    .filter((event) => event !== undefined && !(isRecord(event) && event.enabled === false));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function number(value: unknown, fallback: number): number {
  return value === undefined ? fallback : Number(value);
}
