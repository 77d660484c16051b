import type { TcpSocketConnectOpts } from 'node:net';
import { AMQPChannelError, type Channel, Connection } from 'rabbitmq-client';
import type { Topology } from './rabbitmq-topology.ts';

/** To be connected. With `ANSWER_MS` it stays under five seconds. */
export const OPEN_MS = 2000;
/** For the broker to answer, after which the connection counts as dead. */
export const ANSWER_MS = 2500;
/** A connection that says nothing for two of them is given up. */
const HEARTBEAT_SECONDS = 10;

const SOCKET: Partial<TcpSocketConnectOpts> & { readonly highWaterMark: number } = {
  // The client takes four bytes of what an HTTP server answers, as on the port of the management
  // page, for the length of a frame: past a gigabyte, and Node then throws where nobody can catch it,
  // unless so much may be buffered.
  highWaterMark: 2 ** 33,
};

/** What the broker answers, or why it does not. */
export type Answer = <T>(call: Promise<T>, withinMs?: number) => Promise<T>;

/**
 * The broker is short of memory or disk space, and reads nothing from whoever has published. It says
 * when that is over. The connection is kept for that: of one that is given up the broker learns only
 * then, so that each try would cost it one more, just when it has nothing to spare.
 */
export class BrokerBlocked extends Error {
  override readonly name = 'BrokerBlocked';
}

/** One connection with one channel on it, which end together and are never used again after. */
export interface Link {
  readonly channel: Channel;
  /** Fires when it is of no use any more; its reason tells why. */
  readonly lost: AbortSignal;
  /** Waits for the broker. One that does not answer in time loses the link. @throws BrokerBlocked */
  readonly answer: Answer;
  /** What is sent now would pile up here, to be sent all at once later. @throws BrokerBlocked */
  refuseWhileBlocked(): void;
  /** Waits until the broker has got everything, acknowledgements, too. */
  close(): Promise<void>;
  drop(reason: unknown): void;
}

/**
 * Connects once. The client would connect again by itself, later and later; but whoever needs the
 * broker now is to learn at once that it is away, and to find it as soon as it is back.
 * @throws whatever went wrong, and never later than `ANSWER_MS` after the broker's last answer: to
 * declare everything takes a distant one its time
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
    socket: SOCKET as TcpSocketConnectOpts, // Without a port, which would win over the URL's.
  });
  const drop = (reason: unknown) => {
    if (!lost.signal.aborted) topology.doubt(reason);
    lost.abort(reason);
    connection.unsafeDestroy();
  };
  connection.on('error', drop);

  let blocked: BrokerBlocked | undefined;
  const block = new EventTarget();
  connection.on('connection.blocked', (why) => {
    blocked = new BrokerBlocked(`RabbitMQ takes no messages for now: ${why}.`);
    block.dispatchEvent(new Event('blocked'));
  });
  connection.on('connection.unblocked', () => {
    blocked = undefined;
  });

  const answer = <T>(call: Promise<T>, withinMs = ANSWER_MS): Promise<T> => {
    const late = () => drop(new Error(`RabbitMQ did not answer within ${withinMs} ms.`));
    const timer = setTimeout(late, withinMs);
    const gone = Promise.withResolvers<never>();
    const giveUp = () => {
      const reason = lost.signal.aborted ? lost.signal.reason : blocked;
      if (reason !== undefined) gone.reject(reason);
    };
    lost.signal.addEventListener('abort', giveUp, { once: true });
    block.addEventListener('blocked', giveUp, { once: true });
    giveUp();
    // A lost connection fails the call as well, but with words that do not say why.
    const failed = (error: unknown): never => {
      if (error instanceof AMQPChannelError) drop(error);
      throw lost.signal.aborted ? lost.signal.reason : error;
    };
    return Promise.race([call.catch(failed), gone.promise]).finally(() => {
      clearTimeout(timer);
      lost.signal.removeEventListener('abort', giveUp);
      block.removeEventListener('blocked', giveUp);
    });
  };

  // The call that was refused fails in the same turn, and knows better why the channel is closed.
  const onClose = () => setImmediate(drop, new Error('RabbitMQ closed the channel.'));
  try {
    const channel = await answer(connection.acquire({ emitErrorsFromChannel: true }), OPEN_MS);
    channel.on('error', drop);
    await topology.ensure({ channel, answer });
    await answer(prepare(channel));
    channel.once('close', onClose);
    return {
      channel,
      lost: lost.signal,
      answer,
      drop,
      refuseWhileBlocked() {
        if (blocked) throw blocked;
      },
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
