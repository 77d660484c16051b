import { scheduled } from '../lib/observability/invocation.ts';
import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: deletes tasks that ended longer ago than the retention. */
export const handler = scheduled(async () => {
  const { deleteEndedTasks } = await openUpkeep();
  const deleted = await deleteEndedTasks();
  if (deleted > 0) logger.info({ deleted }, 'delete-ended-tasks');
});
