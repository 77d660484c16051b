import * as z from 'zod';
import { MAX_LABELS } from '../tasks/limits.ts';
import { TASK_STATUSES, type TaskId } from '../tasks/task.ts';
import type { Place, TaskFilter } from '../tasks/task-walk.ts';
import { instant, once, repeatable, shownAs, textUpTo, wholeNumberText } from './query-fields.ts';

/** Lower case, as Postgres writes it. Any version: only ours are UUIDv7. */
export const taskId = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, {
    error: 'must be a UUID, as in the "id" of a task',
  })
  .transform((id) => id.toLowerCase() as TaskId)
  .meta({
    description: 'The `id` of a task: a UUID.',
    examples: ['019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f'],
  });

/** Path of `/api/tasks/{taskId}`. */
export const TaskPath = z.object({ taskId });

/** How many items a page has. */
export const limitUpTo200 = wholeNumberText({ min: 1, max: 200 })
  .default(50)
  .meta({
    description: 'How many items a page has at most.',
    ...shownAs({ type: 'integer', minimum: 1, maximum: 200, default: 50 }),
  });

const statuses = repeatable(
  z.enum(TASK_STATUSES, { error: `must be one of ${TASK_STATUSES.join(', ')}` }),
  MAX_LABELS,
)
  .transform((given) => [...new Set(given)])
  .default([])
  .meta({
    description: 'Tasks with this status; given several times, with one of them.',
    ...shownAs({
      type: 'array',
      items: { type: 'string', enum: [...TASK_STATUSES] },
      maxItems: MAX_LABELS,
    }),
  });

/** `label=team:a`: the key ends at the first colon. */
const LABEL = /^([^:\0]+):([^\0]*)$/;

const label = z.string().transform((text, context): [string, string] => {
  const [, key, value] = LABEL.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [key, value];
  context.addIssue({ code: 'custom', message: 'must be a key and a value as in team:search' });
  return z.NEVER;
});

const labels = repeatable(label, MAX_LABELS)
  .default([])
  .meta({
    description:
      'Tasks with this label, as in `team:search`; given several times, with all of them. Each key once.',
    ...shownAs({
      type: 'array',
      items: { type: 'string', pattern: LABEL.source },
      maxItems: MAX_LABELS,
    }),
  });

const cursor = once.transform((text, context): Place => {
  const [, ms, id] = /^(\d{1,14})\.(.+)$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  const createdAt = new Date(Number(ms));
  const parsed = taskId.safeParse(id);
  if (parsed.success && !Number.isNaN(createdAt.getTime())) return { createdAt, id: parsed.data };
  context.addIssue({ code: 'custom', message: 'must be the "nextCursor" of an earlier answer' });
  return z.NEVER;
});

/** Points behind the last task of a page. Opaque to clients, so that the order can change. */
export function cursorAfter({ createdAt, id }: Place): string {
  return Buffer.from(`${createdAt.getTime()}.${id}`).toString('base64url');
}

/** Query of `GET /api/tasks`. */
export const ListTasksQuery = z
  .strictObject({
    status: statuses,
    label: labels,
    createdAfter: instant.optional().meta({ description: 'Tasks created after this time.' }),
    createdBefore: instant.optional().meta({ description: 'Tasks created before this time.' }),
    q: textUpTo(1000).optional().meta({
      description:
        'Tasks whose command, or arguments joined by spaces, contain this, in upper or lower case.',
    }),
    limit: limitUpTo200,
    cursor: cursor.optional().meta({
      description: 'The page after the one whose `nextCursor` this was.',
    }),
  })
  .transform((query, context) => {
    const labels = Object.fromEntries(query.label);
    // Two values of one label: no task has both, and one of them would be ignored.
    if (Object.keys(labels).length < query.label.length) {
      context.addIssue({ code: 'custom', path: ['label'], message: 'must name each key once' });
      return z.NEVER;
    }
    const { createdAfter, createdBefore, limit, cursor: after } = query;
    const filter: TaskFilter = {
      statuses: query.status.length === TASK_STATUSES.length ? [] : query.status,
      labels,
      createdAfter,
      createdBefore,
      text: query.q,
    };
    return { filter, limit, after };
  });
