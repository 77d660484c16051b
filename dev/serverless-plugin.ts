import { setTimeout as sleep } from 'node:timers/promises';
import { flushSpans } from '../lib/observability/tracing.ts';
import { dependenciesReady, exitWithParent, tellStarter } from './ipc.ts';
import type { LambdaAddress } from './lambda-endpoint.ts';
import type { LocalEvents, Service } from './local-events.ts';

/** For running commands when we are asked to stop. `npm start` kills what takes longer. */
const STOP_GRACE_MS = 2000;

/** For a collector that does not answer there is no time left. */
const FLUSH_MS = 500;

/** The part of the framework's API that this plugin uses. */
interface Serverless {
  readonly service: Service & {
    readonly custom?: { readonly 'serverless-offline'?: Readonly<Record<string, unknown>> };
  };
}

/** What is of use only where one process runs them all: on AWS each would tell of itself alone. */
function localFunctions({ service, provider }: Serverless['service']) {
  return {
    'get-metrics': {
      name: `${service}-${provider.stage}-get-metrics`,
      handler: 'functions/get-metrics.handler',
      events: [{ httpApi: 'GET /metrics' }],
    },
  };
}

/**
 * What AWS does around the functions and serverless-offline leaves out: makes the queues of
 * `resources`, maps them to their functions, and runs the schedules. Idle in every command but
 * `serverless offline start`, so it imports nothing heavy before.
 */
export default class LocalEventsPlugin {
  readonly hooks = {
    'before:offline:start:init': () => this.#prepare(),
    'after:offline:start:init': () => this.#start(),
    'before:offline:start:end': () => this.#stop(),
  };

  readonly #service: Serverless['service'];
  readonly #options: Readonly<Record<string, string>>;
  #events: LocalEvents | undefined;

  constructor(serverless: Serverless, options: Readonly<Record<string, string>>) {
    this.#service = serverless.service;
    this.#options = options;
  }

  /** Before the functions are loaded, because their environment names the queues. */
  async #prepare(): Promise<void> {
    exitWithParent();
    const { actLikeApiGateway } = await import('./api-gateway.ts');
    await actLikeApiGateway();
    const { prepareLocalEvents } = await import('./local-events.ts');
    await dependenciesReady();
    Object.assign(this.#service.functions, localFunctions(this.#service));
    this.#events = await prepareLocalEvents(this.#service, process.env);
  }

  /** Functions can be invoked now. */
  async #start(): Promise<void> {
    await this.#events?.start(this.#lambdaAddress());
    tellStarter({ kind: 'serving', environment: this.#events?.environment ?? {} });
  }

  /** The functions run in this process, and so do their spans. */
  async #stop(): Promise<void> {
    await this.#events?.stop(STOP_GRACE_MS);
    await Promise.race([flushSpans(), sleep(FLUSH_MS, undefined, { ref: false })]);
  }

  /** As serverless-offline finds it: the command line first, then `custom`, then its defaults. */
  #lambdaAddress(): LambdaAddress {
    const options = { ...this.#service.custom?.['serverless-offline'], ...this.#options };
    const port = String(options.lambdaPort ?? 3002);
    if (port.includes('/')) return { socketPath: port };
    return { host: String(options.host ?? 'localhost'), port: Number(port) };
  }
}
