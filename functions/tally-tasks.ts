import { openUpkeep } from '../lib/services.ts';

/** Schedule: counts the tasks that have ended, so that statistics need not. */
export const handler = async (): Promise<void> => {
  const { tallyTasks } = await openUpkeep();
  await tallyTasks();
};
