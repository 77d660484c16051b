import type { Row } from './dashboard.ts';

/** Of the processes that were chosen. What there is to do is of the whole system: `max`, and all. */
const CHOSEN = 'instance=~"$instance"';

/** How much of a counter there is a second, by these labels. */
function rate(counter: string, by: string, matchers = ''): string {
  return `sum by (${by}) (rate(${counter}{${CHOSEN}${matchers}}[$__rate_interval]))`;
}

/** What so many of the observations do not pass. */
function quantile(of: number, histogram: string, by = '', matchers = ''): string {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${of}, ${rate(`${histogram}_bucket`, labels, matchers)})`;
}

function quantiles(histogram: string): Record<string, string> {
  return {
    p50: quantile(0.5, histogram),
    p95: quantile(0.95, histogram),
    p99: quantile(0.99, histogram),
  };
}

/** The requests of users: neither probes nor scrapes, nor what no route takes. */
const OF_USERS = ', route!~"/health/.*|/metrics|none"';

/** `npm run monitoring` writes it as Grafana reads it. Limits are those of rules.yml. */
export const OVERVIEW: readonly Row[] = [
  {
    title: 'Do tasks flow?',
    panels: [
      {
        title: 'Oldest wait',
        description: 'For how long the oldest task has waited that could run. Zero: none waits.',
        unit: 's',
        shows: 'value',
        limits: { warning: 60, critical: 300 },
        queries: { wait: 'max(errand_oldest_wait_seconds)' },
      },
      {
        title: 'Queued',
        description: 'Tasks that are to run, those for later and for a retry among them.',
        unit: 'short',
        shows: 'value',
        queries: { queued: 'max(errand_tasks{status="queued"})' },
      },
      {
        title: 'Running',
        description: 'Zero while tasks wait: no worker takes messages.',
        unit: 'short',
        shows: 'value',
        queries: { running: 'max(errand_tasks{status="running"})' },
      },
      {
        title: 'Ended',
        description: 'Tasks a second that came to any end, in the last minutes.',
        unit: 'ops',
        shows: 'value',
        queries: { ended: 'sum(rate(errand_tasks_ended_total[5m])) or vector(0)' },
      },
      {
        title: 'Dead letters',
        description: 'Messages that failed five times: GET /api/dead-letters shows them.',
        unit: 'short',
        shows: 'value',
        limits: { warning: 1, critical: 100 },
        queries: { messages: 'max(errand_dead_letters)' },
      },
      {
        title: 'Answers of 5xx',
        description: 'Their share of all requests of users.',
        unit: 'percentunit',
        shows: 'value',
        limits: { warning: 0.01, critical: 0.05 },
        queries: { share: 'errand:http_errors:ratio_rate5m or vector(0)' },
      },
      {
        title: 'Processes',
        description: 'That tell their metrics.',
        unit: 'short',
        shows: 'value',
        limits: { warning: 1, critical: 0.5 },
        queries: { up: 'count(up{job="errand"} == 1) or vector(0)' },
      },
      {
        title: 'Alerts',
        description: 'That fire now; docs/metrics.md has a section for each.',
        unit: 'short',
        shows: 'value',
        limits: { warning: 1, critical: 3 },
        queries: {
          firing: 'count(ALERTS{alertname=~"Errand.*", alertstate="firing"}) or vector(0)',
        },
      },
      {
        title: 'Came and went',
        description: 'Where created stays above ended, a backlog grows.',
        unit: 'ops',
        queries: {
          created: 'sum(rate(errand_tasks_created_total[$__rate_interval]))',
          started: 'sum(rate(errand_attempts_started_total[$__rate_interval]))',
          ended: 'sum(rate(errand_tasks_ended_total[$__rate_interval]))',
        },
      },
      {
        title: 'Backlog',
        description: 'Tasks that have not ended, as Postgres knows them.',
        unit: 'short',
        queries: { '{{status}}': 'max by (status) (errand_tasks)' },
      },
      {
        title: 'Oldest wait',
        description: 'Grows by a second each second: nothing is taken at all.',
        unit: 's',
        limits: { warning: 60, critical: 300 },
        queries: { wait: 'max(errand_oldest_wait_seconds)' },
      },
    ],
  },
  {
    title: 'Traffic',
    panels: [
      {
        title: 'Requests by status',
        description: 'All of them, with probes (/health) and scrapes (/metrics).',
        unit: 'reqps',
        queries: { '{{status}}': rate('errand_http_request_duration_seconds_count', 'status') },
      },
      {
        title: 'Requests by route',
        description: 'Those of users.',
        unit: 'reqps',
        queries: {
          '{{method}} {{route}}': rate(
            'errand_http_request_duration_seconds_count',
            'method, route',
            OF_USERS,
          ),
        },
      },
      {
        title: 'Latency by route, p99',
        description:
          'From the arrival at the function to its answer. Requests that wait for a task are as long ' +
          'as they wait.',
        unit: 's',
        queries: {
          '{{method}} {{route}}': quantile(
            0.99,
            'errand_http_request_duration_seconds',
            'method, route',
            OF_USERS,
          ),
        },
      },
    ],
  },
  {
    title: 'Tasks',
    panels: [
      {
        title: 'Ends, by cause',
        description: 'Causes of failed tasks; none for those that succeeded or were cancelled.',
        unit: 'ops',
        queries: { '{{status}} {{cause}}': rate('errand_tasks_ended_total', 'status, cause') },
      },
      {
        title: 'Attempts, by cause',
        description: 'More than ends: commands fail and are run again, or workers are lost.',
        unit: 'ops',
        queries: { '{{status}} {{cause}}': rate('errand_attempts_ended_total', 'status, cause') },
      },
      {
        title: 'Retries and rescues',
        description:
          'Retries are asked for. Rescues are for workers that died and messages that got lost.',
        unit: 'ops',
        queries: {
          retries: `sum(rate(errand_retries_total{${CHOSEN}}[$__rate_interval]))`,
          'rescues, {{what}}': rate('errand_rescues_total', 'what'),
        },
      },
      {
        title: 'Wait for a worker',
        description: 'From when a task could run to its claim: the way through the queue.',
        unit: 's',
        queries: quantiles('errand_attempt_wait_seconds'),
      },
      {
        title: 'Run time of commands',
        description: 'From the start of a command to its end: what users asked for.',
        unit: 's',
        queries: quantiles('errand_attempt_run_seconds'),
      },
      {
        title: 'From creation to end',
        description: 'With waits, delays and retries.',
        unit: 's',
        queries: quantiles('errand_task_duration_seconds'),
      },
    ],
  },
  {
    title: 'Queue and relay',
    panels: [
      {
        title: 'Messages in the queue',
        description: 'As the broker counts them. Ready, and none in flight: nobody takes them.',
        unit: 'short',
        queries: {
          '{{state}}': 'max by (state) (errand_queue_messages)',
          'dead letters': 'max(errand_dead_letters)',
        },
      },
      {
        title: 'Published and delivered',
        description: 'Failed: the broker did not take it, and the relay tries again.',
        unit: 'ops',
        queries: {
          'published, {{result}}': rate('errand_messages_published_total', 'result'),
          'delivered, {{result}}': rate('errand_messages_delivered_total', 'result'),
        },
      },
      {
        title: 'Relay lag',
        description: 'For how long the relay could have sent the oldest message that is owed.',
        unit: 's',
        limits: { warning: 10, critical: 60 },
        queries: { lag: 'max(errand_relay_lag_seconds)' },
      },
      {
        title: 'Messages owed',
        description:
          'In the outbox, for the relay to take: what a crash or the broker left unsent.',
        unit: 'short',
        queries: { owed: 'max(errand_outbox_due_messages)' },
      },
    ],
  },
  {
    title: 'Sandbox',
    panels: [
      {
        title: 'Set-up and clearing away',
        description: 'What a sandbox takes besides the command.',
        unit: 's',
        queries: {
          'p50 {{tier}}': quantile(0.5, 'errand_sandbox_overhead_seconds', 'tier'),
          'p99 {{tier}}': quantile(0.99, 'errand_sandbox_overhead_seconds', 'tier'),
        },
      },
      {
        title: 'Attempts and failures',
        description: 'Failures are commands that could not be isolated or started: our trouble.',
        unit: 'ops',
        queries: {
          'attempts, {{tier}}': rate('errand_attempts_started_total', 'tier'),
          failures: `sum(rate(errand_sandbox_failures_total{${CHOSEN}}[$__rate_interval])) or vector(0)`,
        },
      },
      {
        title: 'Output',
        description: 'Bytes that commands wrote, kept or not.',
        unit: 'Bps',
        queries: { '{{stream}}': rate('errand_output_bytes_total', 'stream') },
      },
      {
        title: 'Free disk',
        description: 'Of the file system with the temporary files of commands.',
        unit: 'percentunit',
        limits: { warning: 0.2, critical: 0.1 },
        queries: {
          '{{instance}}':
            `errand_disk_bytes{state="free", ${CHOSEN}}` +
            ` / on (instance, job) errand_disk_bytes{state="size", ${CHOSEN}}`,
        },
      },
    ],
  },
  {
    title: 'Postgres',
    panels: [
      {
        title: 'Statements',
        description:
          'By the name that pg_stat_activity shows, too; the ten that are most often sent.',
        unit: 'ops',
        queries: {
          '{{statement}}': `topk(10, ${rate('errand_statement_duration_seconds_count', 'statement')})`,
        },
      },
      {
        title: 'Statements, p99',
        description:
          'From the call to the answer, with the wait for a connection; the ten slowest.',
        unit: 's',
        limits: { warning: 0.25, critical: 1 },
        queries: {
          '{{statement}}': `topk(10, ${quantile(0.99, 'errand_statement_duration_seconds', 'statement')})`,
        },
      },
      {
        title: 'Slow and failed statements',
        description: 'Slow: the share that took longer than a second. Each is told in the log.',
        unit: 'percentunit',
        limits: { warning: 0.005, critical: 0.01 },
        queries: {
          'slow, {{statement}}': 'topk(10, errand:slow_statements:ratio_rate5m)',
          failed:
            `(sum(rate(errand_statement_duration_seconds_count{result="failed", ${CHOSEN}}[$__rate_interval])) or vector(0))` +
            ` / sum(rate(errand_statement_duration_seconds_count{${CHOSEN}}[$__rate_interval]))`,
        },
      },
      {
        title: 'Connections',
        description: 'In use at the scrape, and how many each process may open.',
        unit: 'short',
        queries: {
          '{{instance}} {{state}}': `max by (instance, state) (errand_database_connections{${CHOSEN}})`,
        },
      },
      {
        title: 'Statements that wait',
        description:
          'For a connection, at the scrape. Always some: slow statements, or too small a pool.',
        unit: 'short',
        queries: {
          '{{instance}}': `max by (instance) (errand_database_waiting_statements{${CHOSEN}})`,
        },
      },
    ],
  },
  {
    title: 'Processes',
    panels: [
      {
        title: 'Processor',
        description: 'Of errand itself, in processors; commands are processes of their own.',
        unit: 'short',
        queries: {
          '{{instance}}': rate('process_cpu_seconds_total', 'instance', ', job="errand"'),
        },
      },
      {
        title: 'Memory',
        description: 'Resident, and the heap of JavaScript in it.',
        unit: 'bytes',
        queries: {
          '{{instance}} resident': `process_resident_memory_bytes{job="errand", ${CHOSEN}}`,
          '{{instance}} heap': `nodejs_heap_size_used_bytes{job="errand", ${CHOSEN}}`,
        },
      },
      {
        title: 'Event loop lag, p99',
        description: 'For how long a process could not answer. About 0.01 s is none at all.',
        unit: 's',
        limits: { warning: 0.1, critical: 0.2 },
        queries: { '{{instance}}': `nodejs_eventloop_lag_p99_seconds{job="errand", ${CHOSEN}}` },
      },
      {
        title: 'Open files',
        description: 'Their share of what the process may open: sockets, pipes of commands, files.',
        unit: 'percentunit',
        limits: { warning: 0.5, critical: 0.8 },
        queries: {
          '{{instance}}':
            `process_open_fds{job="errand", ${CHOSEN}}` +
            ` / process_max_fds{job="errand", ${CHOSEN}}`,
        },
      },
      {
        title: 'Garbage collection',
        description: 'Share of the time that a process spent on it.',
        unit: 'percentunit',
        queries: {
          '{{instance}}': rate('nodejs_gc_duration_seconds_sum', 'instance', ', job="errand"'),
        },
      },
      {
        title: 'Age',
        description: 'Since the process started. Falls to zero: it was started again.',
        unit: 's',
        queries: { '{{instance}}': `time() - process_start_time_seconds{job="errand", ${CHOSEN}}` },
      },
    ],
  },
];
