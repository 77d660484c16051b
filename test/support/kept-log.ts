import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly cause?: string;
  readonly [field: string]: unknown;
}

/** A log whose lines a test reads. */
export function keptLog(): { readonly logger: Logger; readonly lines: () => readonly Line[] } {
  const lines: Line[] = [];
  const stream = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)));
      done();
    },
  });
  const logger = pino({ base: {}, formatters: { level: (level) => ({ level }) } }, stream);
  return { logger, lines: () => lines };
}
