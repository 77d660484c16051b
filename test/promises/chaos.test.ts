import { describe, expect, it } from 'vitest';
import { runChaos } from '../../scripts/chaos/run-chaos.ts';
import { noRabbitServer } from '../support/rabbitmq.ts';

describe.each([
  { queue: 'sqs', skip: undefined },
  { queue: 'rabbitmq', skip: noRabbitServer },
] as const)('a whole system with $queue whose parts are killed at random', ({ queue, skip }) => {
  it.skipIf(skip)(
    'loses nothing, leaves nothing hanging or running, and settles nothing twice',
    async () => {
      const { accepted, lost, stuck, settledTwice, orphans, findings } = await runChaos({
        queue,
        tasks: 100,
        seconds: 12,
        kills: 5,
        quietWithinSeconds: 150,
        tell: () => {},
      });
      expect({ accepted, lost, stuck, settledTwice, orphans, findings }).toEqual({
        accepted: 100,
        lost: 0,
        stuck: 0,
        settledTwice: 0,
        orphans: 0,
        findings: [],
      });
    },
    300_000,
  );
});
