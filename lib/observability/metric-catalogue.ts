interface Definition {
  readonly kind: 'counter' | 'histogram' | 'gauge';
  /** A sentence for whoever reads a dashboard. */
  readonly help: string;
  /** Each has few values: a tenant, a task or a path would make as many series. */
  readonly labels: readonly string[];
  /** Of a histogram: upper bounds, in the unit that its name ends with. */
  readonly buckets?: readonly number[];
}

/** From a statement to a request that waits. */
const QUICK = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
/** From an `echo` to the longest command, and to what waits in a long queue. */
const LONG = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
] as const;

/** Everything that errand measures of itself. docs/metrics.md says what to look at when. */
export const METRICS = {
  errand_http_request_duration_seconds: {
    kind: 'histogram',
    help: 'Requests, from their arrival at the function to its answer; waits are part of it.',
    labels: ['method', 'route', 'status'],
    buckets: QUICK,
  },
  errand_tasks_created_total: {
    kind: 'counter',
    help: 'Tasks that were stored.',
    labels: [],
  },
  errand_tasks_ended_total: {
    kind: 'counter',
    help: 'Tasks that came to an end, by status and, where they failed, by cause.',
    labels: ['status', 'cause'],
  },
  errand_task_duration_seconds: {
    kind: 'histogram',
    help: 'Tasks that a worker brought to an end, from their creation on.',
    labels: ['status'],
    buckets: LONG,
  },
  errand_attempts_started_total: {
    kind: 'counter',
    help: 'Attempts that a worker began.',
    labels: ['tier'],
  },
  errand_attempts_ended_total: {
    kind: 'counter',
    help: 'Attempts that ended, by status and, where they failed, by cause.',
    labels: ['status', 'cause'],
  },
  errand_attempt_wait_seconds: {
    kind: 'histogram',
    help: 'Attempts, from when their task could run to the claim: the way through the queue.',
    labels: [],
    buckets: LONG,
  },
  errand_attempt_run_seconds: {
    kind: 'histogram',
    help: 'Commands, from their start to their end.',
    labels: ['status'],
    buckets: LONG,
  },
  errand_retries_total: {
    kind: 'counter',
    help: 'Failed attempts after which the task is to run again.',
    labels: [],
  },
  errand_rescues_total: {
    kind: 'counter',
    help: 'Tasks made to run again: `lost` their worker, or their message was `forgotten`.',
    labels: ['what'],
  },
  errand_sandbox_overhead_seconds: {
    kind: 'histogram',
    help: 'What a sandbox takes besides the command: set-up, transport and clearing away.',
    labels: ['tier'],
    buckets: QUICK,
  },
  errand_sandbox_failures_total: {
    kind: 'counter',
    help: 'Commands that could not be isolated or started, which is our trouble.',
    labels: ['tier'],
  },
  errand_output_bytes_total: {
    kind: 'counter',
    help: 'Bytes that commands wrote, kept or not.',
    labels: ['stream'],
  },
  errand_messages_published_total: {
    kind: 'counter',
    help: 'Messages that the broker stored, or did not (`failed`: the relay tries again).',
    labels: ['result'],
  },
  errand_messages_delivered_total: {
    kind: 'counter',
    help: 'Messages that came to a worker, by what became of them.',
    labels: ['result'],
  },
  errand_outbox_due_messages: {
    kind: 'gauge',
    help: 'Messages in the outbox that the relay may take; counted to 100,000.',
    labels: [],
  },
  errand_relay_lag_seconds: {
    kind: 'gauge',
    help: 'For how long the relay could have taken the oldest of them.',
    labels: [],
  },
  errand_queue_messages: {
    kind: 'gauge',
    help: 'Messages in the queue, as the broker counts: ready, in_flight, delayed.',
    labels: ['state'],
  },
  errand_dead_letters: {
    kind: 'gauge',
    help: 'Messages in the dead-letter queue.',
    labels: [],
  },
  errand_tasks: {
    kind: 'gauge',
    help: 'Tasks that have not ended: queued, running.',
    labels: ['status'],
  },
  errand_oldest_wait_seconds: {
    kind: 'gauge',
    help: 'For how long the oldest task has waited that could run.',
    labels: [],
  },
  errand_statement_duration_seconds: {
    kind: 'histogram',
    help: 'Statements, from the call to the answer, with the wait for a connection.',
    labels: ['statement', 'result'],
    buckets: QUICK,
  },
  errand_database_connections: {
    kind: 'gauge',
    help: 'Of this process: how many it may open, and how many are in use.',
    labels: ['state'],
  },
  errand_database_waiting_statements: {
    kind: 'gauge',
    help: 'Statements of this process that wait for a connection.',
    labels: [],
  },
  errand_disk_bytes: {
    kind: 'gauge',
    help: 'Of the file system with the temporary files of commands: size, and free for them.',
    labels: ['state'],
  },
} as const satisfies Record<string, Definition>;

export type MetricName = keyof typeof METRICS;

type NameOf<Kind extends Definition['kind']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

export type Counter = NameOf<'counter'>;
export type Histogram = NameOf<'histogram'>;
export type Gauge = NameOf<'gauge'>;

/** The labels of a metric, each with a value. */
export type LabelsOf<Name extends MetricName> = {
  readonly [Label in (typeof METRICS)[Name]['labels'][number]]: string | number;
};
