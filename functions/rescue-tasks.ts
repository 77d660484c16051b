import { invocation } from '../lib/observability/tracing.ts';
import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: makes tasks runnable again whose worker, or whose message, vanished. */
export const handler = async (): Promise<void> => {
  const { rescueTasks } = await openUpkeep();
  const rescue = await invocation(rescueTasks);
  if (rescue.lost + rescue.forgotten > 0) logger.warn(rescue, 'rescue-tasks');
};
