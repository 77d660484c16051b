import { scheduled } from '../lib/scheduled.ts';
import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: publishes the messages that a crash, or a broker that was away, left unsent. */
export const handler = scheduled(async () => {
  const { relayOutbox } = await openUpkeep();
  const relayed = await relayOutbox();
  if (relayed > 0) logger.info({ relayed }, 'relay-outbox');
});
