import { type Logger, pino } from 'pino';
import { logContext } from './log-context.ts';

export type { Logger } from 'pino';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Writes one JSON object a line to stderr, at once: a Lambda environment may freeze any time. */
export function makeLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: {},
      mixin: () => ({ ...logContext() }),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
