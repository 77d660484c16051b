import { type OwedMessage, returnOwedMessages, takeOwedMessages } from './outbox.ts';
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
      await publish(deps, owed);
      relayed += owed.length;
      if (owed.length < BATCH) return relayed;
    }
  };
}

async function publish(deps: Omit<PublishDeps, 'logger'>, owed: OwedMessage[]): Promise<void> {
  try {
    await publishAndForget(deps, owed);
  } catch (error) {
    // To be tried again soon, and not only once nobody can still be at it.
    await returnOwedMessages(
      deps.sql,
      owed.map(({ id }) => id),
    );
    throw error;
  }
}
