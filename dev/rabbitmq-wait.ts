import type { RabbitSettings } from '../lib/queue/rabbitmq-publisher.ts';
import { brokerAt, rabbitTrouble } from '../lib/queue/rabbitmq-trouble.ts';
import { reachRabbit } from '../lib/queue/reach-rabbitmq.ts';
import { type ServerWait, untilServerAnswers } from './server-wait.ts';

/** Within the 60 s after which the functions, which wait for it, count as broken. */
const WITHIN_MS = 50_000;

/** @throws Refusal when it refuses us, or is not there in time */
export function untilRabbitAnswers(settings: RabbitSettings, wait: ServerWait): Promise<void> {
  const broker = {
    kind: 'RabbitMQ',
    place: brokerAt(settings.url),
    setting: 'RABBITMQ_URL names it; without QUEUE=rabbitmq, npm start brings an SQS emulator.',
    ask: () => reachRabbit(settings),
    troubleOf: rabbitTrouble,
  };
  return untilServerAnswers(broker, { withinMs: WITHIN_MS, ...wait });
}
