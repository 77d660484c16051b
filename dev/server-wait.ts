import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from './refusal.ts';

const PAUSE_MS = 200;

export interface ServerWait {
  /** Told why it takes so long, whenever that changes; not of what is over soon. */
  onWaiting(why: string): void;
  readonly quietMs?: number;
  readonly withinMs?: number;
}

export interface ServerOfTheirs {
  /** As in `database`. */
  readonly kind: string;
  readonly place: string;
  /** What names it, and what to do without. */
  readonly setting: string;
  ask(): Promise<unknown>;
  troubleOf(error: unknown): {
    readonly why: string;
    readonly remedy: string;
    readonly isFinal: boolean;
  };
}

/**
 * Resolves once a server of the user's answers: what somebody else starts may come later than we do.
 * @throws Refusal when it refuses us, or is not there in time
 */
export async function untilServerAnswers(
  { kind, place, setting, ask, troubleOf }: ServerOfTheirs,
  { onWaiting, quietMs = 1500, withinMs = 60_000 }: ServerWait,
): Promise<void> {
  const startedAt = performance.now();
  let told: string | undefined;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      const { why, remedy, isFinal } = troubleOf(error);
      const waitedMs = performance.now() - startedAt;
      if (isFinal || waitedMs > withinMs) {
        throw new Refusal(`No ${kind} at ${place}: ${why}.`, `${remedy} ${setting}`);
      }
      if (waitedMs > quietMs && told !== why) {
        told = why;
        onWaiting(`${place}: ${why}; trying for ${withinMs / 1000} s in all`);
      }
      await sleep(PAUSE_MS);
    }
  }
}
