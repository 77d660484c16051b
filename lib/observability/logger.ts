import { type Logger, pino } from 'pino';
import { errorFields } from './error-fields.ts';
import { logContext } from './log-context.ts';

export type { Logger } from 'pino';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** At once: a Lambda environment may freeze any time. */
const stderr = () => pino.destination({ fd: 2, sync: true });

/** Writes one JSON object a line, to stderr. */
export function makeLogger(level: LogLevel, output?: NodeJS.WritableStream): Logger {
  return pino(
    {
      level,
      base: {},
      mixin: () => ({ ...logContext() }),
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: errorFields },
      formatters: { level: (label) => ({ level: label }) },
    },
    output ?? stderr(),
  );
}
