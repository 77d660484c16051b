import * as z from 'zod';
import type { TaskId } from '../tasks/task.ts';

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

/** Query of `GET /api/tasks`. A name with a typing error would list the wrong tasks: it is refused. */
export const ListTasksQuery = z.strictObject({
  limit: limitUpTo200,
  cursor: z
    .string('must be given once')
    .transform((cursor, context) => {
      const after = taskId.safeParse(Buffer.from(cursor, 'base64url').toString());
      if (after.success) return after.data;
      context.addIssue({
        code: 'custom',
        message: 'must be the "nextCursor" of an earlier answer',
      });
      return z.NEVER;
    })
    .optional(),
});

/** Points behind the last task of a page. Opaque to clients, so that the order can change. */
export function cursorAfter(id: TaskId): string {
  return Buffer.from(id).toString('base64url');
}
