import type { Answer } from '../../../scripts/load/client.ts';
import type { FollowedTask } from '../../../scripts/load/followed-tasks.ts';
import type { MemorySample } from '../../../scripts/load/memory.ts';
import type { Operation } from '../../../scripts/load/mixes.ts';
import { openRecorder } from '../../../scripts/load/recorder.ts';
import { makeReport, type Report } from '../../../scripts/load/report.ts';
import { readTaskFigures } from '../../../scripts/load/task-figures.ts';

const BEGAN_AT = Date.parse('2026-11-01T12:00:00Z');

interface RequestFields {
  readonly operation?: Operation;
  readonly dueMs: number;
  readonly tookMs?: number;
  readonly lateMs?: number;
  /** Undefined: it was not sent. */
  readonly answer?: Answer | undefined;
}

interface TaskTimes {
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly finishedMs?: number;
}

interface ReportFields {
  readonly rate?: number;
  readonly seconds?: number;
  readonly requests?: readonly RequestFields[];
  readonly tasks?: readonly TaskTimes[];
  readonly tasksUnread?: string;
  readonly answeredSeconds?: number;
  readonly drainedSeconds?: number;
  readonly endedEarly?: boolean;
  readonly memory?: readonly MemorySample[];
}

export const answered = (status: number): Answer => ({ kind: 'answered', status, body: '' });

/** A report of these requests and tasks, made as that of a run is. */
export async function aReport(fields: ReportFields = {}): Promise<Report> {
  const { rate = 10, seconds = 10, requests = [], tasks = [], memory = [] } = fields;
  const recorder = openRecorder(1000);
  for (const [number, request] of requests.entries()) {
    const { operation = 'create', dueMs, tookMs = 5, lateMs = 0 } = request;
    const arrival = { number, dueMs, sentMs: dueMs + lateMs };
    const answer = 'answer' in request ? request.answer : answered(202);
    if (answer === undefined) {
      recorder.unsent(arrival);
      continue;
    }
    recorder.sent(arrival);
    recorder.answered(operation, arrival, answer, dueMs + tookMs);
  }
  return makeReport({
    plan: {
      url: 'http://localhost:3500',
      key: 'errand_secret',
      phases: [{ fromRate: rate, toRate: rate, seconds }],
      mix: 'default',
      maxOpen: 1000,
      timeoutSeconds: 30,
      drainSeconds: 60,
    },
    run: '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f',
    startedAt: new Date(BEGAN_AT),
    endedEarly: fields.endedEarly ?? false,
    answeredSeconds: fields.answeredSeconds ?? seconds + 0.1,
    drainedSeconds: fields.drainedSeconds ?? seconds + 1,
    binSeconds: 1,
    requests: recorder.figures(),
    tasks: await readTaskFigures(tasks.map(toTask), { beganAt: BEGAN_AT, binMs: 1000 }),
    tasksUnread: fields.tasksUnread ?? null,
    memory,
  });
}

function toTask({ createdMs, startedMs, finishedMs }: TaskTimes): FollowedTask {
  const at = (ms: number | undefined) =>
    ms === undefined ? null : new Date(BEGAN_AT + ms).toISOString();
  const open = startedMs === undefined ? 'queued' : 'running';
  return {
    status: finishedMs === undefined ? open : 'succeeded',
    createdAt: at(createdMs) ?? '',
    startedAt: at(startedMs),
    finishedAt: at(finishedMs),
  };
}
