import { SQSClient } from '@aws-sdk/client-sqs';
import { parseLogLevel } from '../lib/config/config.ts';
import { makeLogger } from '../lib/observability/logger.ts';
import { bucketLookup, ensureBuckets, nameBuckets } from './buckets.ts';
import {
  type Lookup,
  pseudoParameters,
  resolveIntrinsics,
  type Template,
} from './cloudformation.ts';
import { reportMapping, reportOpening, reportSchedule } from './event-reports.ts';
import { startEventSourceMapping } from './event-source-mapping.ts';
import { enabledEvents, type FunctionDefinition, isRecord, readSqsEvent } from './event-sources.ts';
import { type Invoke, type LambdaAddress, lambdaEndpoint } from './lambda-endpoint.ts';
import { startWhenOpen } from './opened-worker.ts';
import { ensureQueues, type Queues, queueLookup } from './queues.ts';
import { startSchedule } from './schedule.ts';

/** AWS's schedules count in minutes; locally a rescue or a relay should be seen at once. */
const SCHEDULE_EVERY_MS = 1000;
/** Lambda's own default. */
const FUNCTION_TIMEOUT_SECONDS = 6;
/** Short, because an emulator goes on waiting for a client that died: see `EventSource`. */
const WAIT_TIME_SECONDS = 1;

/** serverless.yml, as far as the events need it. */
export interface Service {
  readonly service: string;
  readonly provider: {
    readonly region: string;
    readonly stage: string;
    readonly timeout?: number;
    environment?: Record<string, unknown>;
  };
  readonly functions: Readonly<Record<string, FunctionDefinition>>;
  readonly resources?: { readonly Resources?: Template };
}

export interface LocalEvents {
  /** The provider's environment with its references to queues resolved. */
  readonly environment: Readonly<Record<string, string>>;
  /** Begins to poll and to run the schedules. Functions must be invocable. */
  start(address: LambdaAddress): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

/**
 * Makes the queues and writes their URLs where the service's environments refer to them. Takes the
 * schedules out of the service: serverless-offline would run them as well, in AWS's minutes.
 * @throws when there is neither RabbitMQ nor an emulator: this must never touch queues on AWS.
 */
export async function prepareLocalEvents(
  service: Service,
  env: Readonly<Record<string, string | undefined>>,
): Promise<LocalEvents> {
  const { region, stage } = service.provider;
  const stackName = `${service.service}-${stage}`;
  const buckets = nameBuckets(service.resources?.Resources ?? {}, stackName);
  // An emulator of the user's own may have no S3, and nothing but the runner needs it.
  if (env.SANDBOX === 'runner') await ensureBuckets(buckets, emulatorOf(env), region);
  const pseudo = bucketLookup(buckets, pseudoParameters(region, stackName));
  const { sqs, makeQueues } = openQueues(service, env, pseudo);
  const queues = await makeQueues();

  // With RabbitMQ there are no queues here, and nothing is to come of what names them.
  const lookup: Lookup = sqs ? queueLookup(queues, pseudo) : () => '';
  resolveEnvironment(service.provider, lookup);
  const schedules = new Map<FunctionDefinition, unknown[]>();
  for (const definition of Object.values(service.functions)) {
    resolveEnvironment(definition, lookup);
    schedules.set(definition, enabledEvents(definition, 'schedule'));
    definition.events = definition.events.filter((event) => !('schedule' in event));
  }

  const logger = makeLogger(parseLogLevel(env));
  const running: { stop(graceMs: number): Promise<void> }[] = [];
  return {
    environment: textsOnly(service.provider.environment ?? {}),

    async start(address) {
      const { invoke } = lambdaEndpoint(address);
      for (const [key, definition] of Object.entries(service.functions)) {
        const call = invoker(invoke, definition, service.provider.timeout);
        for (const event of enabledEvents(definition, 'sqs')) {
          if (sqs === undefined) continue;
          const source = {
            ...readSqsEvent(key, event, queues),
            region,
            waitTimeSeconds: WAIT_TIME_SECONDS,
          };
          const report = reportMapping(logger, key);
          running.push(
            startWhenOpen(
              call,
              () =>
                startEventSourceMapping(source, { sqs, invoke: call, repair: makeQueues, report }),
              reportOpening(logger, key),
            ),
          );
        }
        for (const event of schedules.get(definition) ?? []) {
          const input = isRecord(event) ? event.input : undefined;
          const report = reportSchedule(logger, key);
          running.push(
            startSchedule({ everyMs: SCHEDULE_EVERY_MS, region, input, invoke: call, report }),
          );
        }
      }
    },

    async stop(graceMs) {
      await Promise.all(running.map((source) => source.stop(graceMs)));
    },
  };
}

/** With RabbitMQ, a worker process takes the messages, and only the schedules are run here. */
function openQueues(
  service: Service,
  env: Readonly<Record<string, string | undefined>>,
  pseudo: Lookup,
): { sqs: SQSClient | undefined; makeQueues: () => Promise<Queues> } {
  if (env.QUEUE === 'rabbitmq') return { sqs: undefined, makeQueues: async () => new Map() };
  const { region } = service.provider;
  const sqs = new SQSClient({ region, endpoint: emulatorOf(env), maxAttempts: 1 });
  const template = service.resources?.Resources ?? {};
  return { sqs, makeQueues: () => ensureQueues(sqs, template, pseudo) };
}

function emulatorOf(env: Readonly<Record<string, string | undefined>>): string {
  if (env.SQS_ENDPOINT) return env.SQS_ENDPOINT;
  throw new Error('SQS_ENDPOINT is not set. `npm start` starts an emulator and sets it.');
}

/** Invokes one function, with its own time-out: past it, AWS counts the invocation as failed. */
function invoker(invoke: Invoke, definition: FunctionDefinition, providerTimeout?: number) {
  const seconds = definition.timeout ?? providerTimeout ?? FUNCTION_TIMEOUT_SECONDS;
  return (event: unknown) => invoke(definition.name, event, seconds * 1000);
}

function resolveEnvironment(owner: { environment?: Record<string, unknown> }, lookup: Lookup) {
  if (owner.environment === undefined) return;
  owner.environment = resolveIntrinsics(owner.environment, lookup) as Record<string, unknown>;
}

function textsOnly(environment: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => {
      return typeof entry[1] === 'string';
    }),
  );
}
