import type { Colour, Paint } from './terminal.ts';

const LEVEL_COLOURS: Readonly<Record<string, Colour>> = {
  debug: 'dim',
  info: 'cyan',
  warn: 'yellow',
  error: 'red',
};

/**
 * One of our structured log lines for people, as `12:01:02 info  the message key=value`, with the
 * stack of an error below. Undefined when the line is none.
 */
export function formatLogLine(line: string, paint: Paint): string | undefined {
  const entry = parse(line);
  if (entry === undefined) return undefined;
  const { level, time, msg, err, ...fields } = entry;

  const name = String(level ?? 'info');
  const head = [
    paint('dim', String(time ?? '').slice(11, 19)),
    paint(LEVEL_COLOURS[name] ?? 'cyan', name.padEnd(5)),
    String(msg ?? ''),
  ];
  const tail = Object.entries(fields).map(([key, value]) => paint('dim', `${key}=${show(value)}`));
  const error = isRecord(err) ? `\n${indent(String(err.stack ?? err.message ?? ''))}` : '';
  return [...head, ...tail].join(' ') + error;
}

/**
 * What a warning or an error has in common with others of its kind: all but its time and the ids
 * and numbers in it. Undefined for any other line.
 */
export function kindOfTrouble(line: string): string | undefined {
  const { level, msg, function: owner, cause, reason, err } = parse(line) ?? {};
  if (level !== 'warn' && level !== 'error') return undefined;
  const message = isRecord(err) ? err.message : undefined;
  return [level, msg, owner, cause, reason, message]
    .map((text) => String(text ?? '').replace(/[0-9a-f-]*\d[0-9a-f-]*/g, '#'))
    .join(' | ');
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return isRecord(entry) && 'msg' in entry ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Texts with spaces are quoted, so that the end of a value can be seen. */
function show(value: unknown): string {
  return typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
