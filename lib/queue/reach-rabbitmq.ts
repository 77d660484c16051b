import { openLink } from './rabbitmq-link.ts';
import type { RabbitSettings } from './rabbitmq-publisher.ts';
import { topologyOf } from './rabbitmq-topology.ts';

/** Resolves when the broker lets us in and has our queues. @throws what `rabbitTrouble` explains */
export async function reachRabbit({ url, queue }: RabbitSettings): Promise<void> {
  const link = await openLink(url, topologyOf(queue), async () => {});
  await link.close();
}
