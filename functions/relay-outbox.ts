import { scheduled } from '../lib/observability/invocation.ts';
import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: publishes the messages that a crash, or a broker that was away, left unsent. */
export const handler = scheduled(async () => {
  const { readBacklog, relayOutbox } = await openUpkeep();
  // Before the relay does something about it, or fails to.
  await readBacklog?.();
  const relayed = await relayOutbox();
  if (relayed > 0) logger.info({ relayed }, 'relay-outbox');
});
