import { takeOwedMessages } from './outbox.ts';
import { type PublishDeps, publishAndForget } from './publish-owed.ts';

/** Messages that one statement takes and one call publishes. */
const BATCH = 500;

export type RelayOutbox = () => Promise<number>;

/**
 * Publishes what a crash, or a broker that was away, left unsent, and what has come near enough for
 * the queue to delay it; returns how many messages. @throws QueueUnavailable
 */
export function makeRelayOutbox(deps: Omit<PublishDeps, 'logger'>): RelayOutbox {
  return async () => {
    let relayed = 0;
    for (;;) {
      const owed = await takeOwedMessages(deps.sql, BATCH);
      await publishAndForget(deps, owed);
      relayed += owed.length;
      if (owed.length < BATCH) return relayed;
    }
  };
}
