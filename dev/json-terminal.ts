import { makeLogger } from '../lib/observability/logger.ts';
import type { PartState, Terminal } from './terminal.ts';

const LEVELS = {
  created: 'info',
  waits: 'info',
  ready: 'info',
  restarts: 'warn',
  missing: 'warn',
  failed: 'error',
} as const satisfies Record<PartState, string>;

/** The same for machines that collect logs: one JSON object a line, as the functions write them. */
export function openJsonTerminal(output: NodeJS.WritableStream = process.stderr): Terminal {
  const logger = makeLogger('info', output);
  const tell = (text: string) => {
    const msg = text.trim();
    if (msg !== '') logger.info(msg);
  };
  return {
    entry: (line) => void output.write(`${line}\n`),
    paint: (_colour, text) => text,
    line: tell,
    heading: tell,
    part(part, state, tookMs, detail) {
      const ms = tookMs === undefined ? undefined : Math.round(tookMs);
      logger[LEVELS[state]]({ part, state, ms }, detail);
    },
    block: (heading, text) => logger.info({ text }, heading),
    problem: (message, remedy) => logger.error({ remedy }, message),
  };
}
