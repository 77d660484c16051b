import { logger, measure, openUpkeep } from '../lib/services.ts';

/** Schedule: publishes the messages that a crash, or a broker that was away, left unsent. */
export const handler = async (): Promise<void> => {
  const { relayLagSeconds, relayOutbox } = await openUpkeep();
  // Before the relay does something about it, or fails to.
  measure?.('RelayLag', await relayLagSeconds());
  const relayed = await relayOutbox();
  if (relayed > 0) logger.info({ relayed }, 'relay-outbox');
};
