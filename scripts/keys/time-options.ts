import { z } from 'zod';
import { misused } from '../failure.ts';

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
type Unit = keyof typeof UNIT_SECONDS;

/** A hundred years: nobody means more, and dates have an end. */
const MAX_SECONDS = 36_500 * UNIT_SECONDS.d;

/** `90s`, `30m`, `12h` or `7d`. @throws Failure */
export function readSeconds(option: string, text: string, maxSeconds = MAX_SECONDS): number {
  const seconds = toSeconds(text);
  if (seconds === undefined) {
    throw misused(
      `--${option} is "${text}", which is no duration.`,
      `A number and s, m, h or d: --${option} 12h`,
    );
  }
  if (seconds <= maxSeconds) return seconds;
  throw misused(
    `--${option} is "${text}", which is too long.`,
    `At most ${maxSeconds / UNIT_SECONDS.d}d.`,
  );
}

/** A duration from now on, or a time. @throws Failure */
export function readInstant(option: string, text: string, now = new Date()): Date {
  const isTime = z.iso.datetime({ offset: true }).safeParse(text).success;
  if (!isTime && toSeconds(text) === undefined) {
    throw misused(
      `--${option} is "${text}", which is neither a duration nor a time.`,
      `For example: --${option} 90d, or --${option} 2030-01-31T12:00:00Z`,
    );
  }
  const instant = isTime
    ? new Date(text)
    : new Date(now.getTime() + readSeconds(option, text) * 1000);
  if (instant > now) return instant;
  throw misused(`--${option} is "${text}", which is over.`, `For example: --${option} 90d`);
}

function toSeconds(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,12})([smhd])$/.exec(text) ?? [];
  return number && unit ? Number(number) * UNIT_SECONDS[unit as Unit] : undefined;
}
