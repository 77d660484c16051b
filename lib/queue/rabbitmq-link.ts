import { type Channel, Connection } from 'rabbitmq-client';
import type { Topology } from './rabbitmq-topology.ts';

/** To be connected, with everything declared. With `ANSWER_MS` it stays under five seconds. */
export const OPEN_MS = 2000;
/** For the broker to answer, after which the connection counts as dead. */
export const ANSWER_MS = 2500;
/** A connection that says nothing for two of them is given up. */
const HEARTBEAT_SECONDS = 10;

/** One connection with one channel on it, which end together and are never used again after. */
export interface Link {
  readonly channel: Channel;
  /** Fires when it is of no use any more; its reason tells why. */
  readonly lost: AbortSignal;
  /** What the broker answers. One that does not answer in time loses the link. */
  answer<T>(call: Promise<T>, withinMs?: number): Promise<T>;
  /** Waits until the broker has got everything, acknowledgements, too. */
  close(): Promise<void>;
  drop(reason: Error): void;
}

/**
 * Connects once. The client would connect again by itself, later and later; but whoever needs the
 * broker now is to learn at once that it is away, and to find it as soon as it is back.
 * @throws whatever went wrong, and never later than `OPEN_MS`
 */
export async function openLink(
  url: string,
  topology: Topology,
  prepare: (channel: Channel) => Promise<void>,
): Promise<Link> {
  const lost = new AbortController();
  const connection = new Connection({
    url,
    heartbeat: HEARTBEAT_SECONDS,
    connectionTimeout: OPEN_MS,
    acquireTimeout: OPEN_MS,
    // Without it a confirm can be 44 ms late instead of 2: Nagle's algorithm waits for an ACK.
    noDelay: true,
  });
  const drop = (reason: unknown) => {
    if (!lost.signal.aborted) topology.doubt(reason);
    lost.abort(reason);
    connection.unsafeDestroy();
  };
  connection.on('error', drop);

  const answer = <T>(call: Promise<T>, withinMs = ANSWER_MS): Promise<T> => {
    const late = () => drop(new Error(`RabbitMQ did not answer within ${withinMs} ms.`));
    const timer = setTimeout(late, withinMs);
    const gone = Promise.withResolvers<never>();
    const onLost = () => gone.reject(lost.signal.reason);
    lost.signal.addEventListener('abort', onLost, { once: true });
    if (lost.signal.aborted) onLost();
    // A lost connection fails the call as well, but with words that do not say why.
    const failed = (error: unknown): never => {
      throw lost.signal.aborted ? lost.signal.reason : error;
    };
    return Promise.race([call.catch(failed), gone.promise]).finally(() => {
      clearTimeout(timer);
      lost.signal.removeEventListener('abort', onLost);
    });
  };

  const onClose = () => drop(new Error('RabbitMQ closed the channel.'));
  const open = async (): Promise<Channel> => {
    const channel = await connection.acquire({ emitErrorsFromChannel: true });
    channel.on('error', drop);
    await topology.ensure(channel);
    await prepare(channel);
    channel.once('close', onClose);
    return channel;
  };
  try {
    const channel = await answer(open(), OPEN_MS);
    return {
      channel,
      lost: lost.signal,
      answer,
      drop,
      async close() {
        channel.removeListener('close', onClose);
        await answer(channel.close().then(() => connection.close())).catch(() => {});
        drop(new Error('The link is closed.'));
      },
    };
  } catch (error) {
    drop(error);
    throw error;
  }
}
