import { scheduled } from '../lib/observability/invocation.ts';
import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: makes tasks runnable again whose worker, or whose message, vanished. */
export const handler = scheduled(async () => {
  const { rescueTasks } = await openUpkeep();
  const rescue = await rescueTasks();
  if (rescue.lost + rescue.forgotten > 0) logger.warn(rescue, 'rescue-tasks');
});
