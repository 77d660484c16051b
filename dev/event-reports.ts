import type { Logger } from '../lib/observability/logger.ts';
import type { MappingEvent } from './event-source-mapping.ts';

/** Tells an operator what an event source mapping went through. */
export function reportMapping(logger: Logger, functionKey: string) {
  const log = logger.child({ function: functionKey });
  return (event: MappingEvent) => {
    switch (event.kind) {
      case 'queue unreachable':
        log.warn({ cause: String(event.cause) }, 'the queue does not answer; trying again');
        break;
      case 'queue reachable again':
        log.info('the queue answers again');
        break;
      case 'batch failed':
        log.warn(
          { messageIds: event.messageIds, reason: event.reason },
          'the batch failed; its messages return after the visibility timeout',
        );
        break;
      case 'delete gave up':
        log.warn(
          { messages: event.messages, cause: String(event.cause) },
          'handled messages could not be deleted; they will be delivered again',
        );
    }
  };
}

/** Tells an operator when a schedule fails, and when it works again. */
export function reportSchedule(logger: Logger, functionKey: string) {
  const log = logger.child({ function: functionKey });
  return (failure: string | undefined) => {
    if (failure === undefined) log.info('the schedule works again');
    else log.warn({ reason: failure }, 'the scheduled invocation failed; it is tried every second');
  };
}

/** Tells an operator why messages are left in the queue, and when they are taken after all. */
export function reportOpening(logger: Logger, functionKey: string) {
  const log = logger.child({ function: functionKey });
  return (refusal: string | undefined) => {
    if (refusal === undefined) log.info('the function opened; its messages are delivered now');
    else log.error({ reason: refusal }, 'the function does not open; its messages wait');
  };
}
