import { z } from 'zod';
import { MAX_LABELS } from '../tasks/limits.ts';
import { TASK_STATUSES, type TaskId } from '../tasks/task.ts';
import type { Place, TaskFilter } from '../tasks/task-walk.ts';

/** Lower case, as Postgres writes it. Any version: only ours are UUIDv7. */
export const taskId = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, {
    error: 'must be a UUID, as in the "id" of a task',
  })
  .transform((id) => id.toLowerCase() as TaskId);

/** Path of `/api/tasks/{taskId}`. */
export const TaskPath = z.object({ taskId });

/** How many items a page has. */
export const limitUpTo200 = z
  .string('must be given once')
  .regex(/^([1-9]|[1-9][0-9]|1[0-9]{2}|200)$/, 'must be a whole number from 1 to 200')
  .transform(Number)
  .default(50);

const once = z.string('must be given once');
const instant = once.pipe(
  z.iso
    .datetime({ offset: true, error: 'must be a time as in 2030-01-31T12:00:00Z' })
    .transform((text) => new Date(text)),
);

/** A parameter that may be repeated. */
function repeatable<T>(item: z.ZodType<T, string>) {
  return z
    .union([z.string().transform((value) => [value]), z.array(z.string())])
    .pipe(z.array(item).max(MAX_LABELS, `must not be given more than ${MAX_LABELS} times`));
}

const statuses = repeatable(
  z.enum(TASK_STATUSES, { error: `must be one of ${TASK_STATUSES.join(', ')}` }),
).transform((given) => [...new Set(given)]);

/** `label=team:a`: the key ends at the first colon. */
const label = z.string().transform((text, context): [string, string] => {
  const [, key, value] = /^([^:]+):(.*)$/s.exec(text) ?? [];
  if (key !== undefined && value !== undefined && !text.includes('\0')) return [key, value];
  context.addIssue({ code: 'custom', message: 'must be a key and a value as in team:search' });
  return z.NEVER;
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

/** Query of `GET /api/tasks`. A name with a typing error would list the wrong tasks: it is refused. */
export const ListTasksQuery = z
  .strictObject({
    status: statuses.default([]),
    label: repeatable(label).default([]),
    createdAfter: instant.optional(),
    createdBefore: instant.optional(),
    q: once
      .min(1, 'must not be empty')
      .max(1000, 'must not be longer than 1000 characters')
      .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be text without NUL')
      .optional(),
    limit: limitUpTo200,
    cursor: cursor.optional(),
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
