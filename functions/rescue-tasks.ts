import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: makes tasks runnable again whose worker vanished. */
export const handler = async (): Promise<void> => {
  const { rescueTasks } = await openUpkeep();
  const lost = await rescueTasks();
  if (lost > 0) logger.warn({ lost }, 'rescue-tasks');
};
