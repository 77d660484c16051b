import { pino } from 'pino';

/** For tests that break things on purpose, which would fill the report with warnings. */
export const quiet = pino({ level: 'silent' });
