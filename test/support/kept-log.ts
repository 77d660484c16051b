import { Writable } from 'node:stream';
import { type Logger, makeLogger } from '../../lib/observability/logger.ts';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly cause?: string;
  readonly [field: string]: unknown;
}

/** A log as it is written elsewhere, whose lines a test reads. */
export function keptLog(level: 'debug' | 'info' = 'info'): {
  readonly logger: Logger;
  readonly lines: () => readonly Line[];
} {
  const lines: Line[] = [];
  const output = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)));
      done();
    },
  });
  return { logger: makeLogger(level, output), lines: () => lines };
}
