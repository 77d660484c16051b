import { invocation } from '../lib/observability/tracing.ts';
import { logger, openUpkeep } from '../lib/services.ts';

/** Schedule: publishes the messages that a crash, or a broker that was away, left unsent. */
export const handler = async (): Promise<void> => {
  const { relayOutbox } = await openUpkeep();
  const relayed = await invocation(relayOutbox);
  if (relayed > 0) logger.info({ relayed }, 'relay-outbox');
};
