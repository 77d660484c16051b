import { scheduled } from '../lib/observability/invocation.ts';
import { openUpkeep } from '../lib/services.ts';

/** Schedule: counts the tasks that have ended, so that statistics need not. */
export const handler = scheduled(async () => {
  const { tallyTasks } = await openUpkeep();
  await tallyTasks();
});
