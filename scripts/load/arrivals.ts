/** A stretch of time in which the rate stays the same, or changes evenly. */
export interface Phase {
  /** Arrivals a second at its beginning, and at its end. */
  readonly fromRate: number;
  readonly toRate: number;
  readonly seconds: number;
}

/**
 * When each request is due, in milliseconds from the start. Each time is computed from the start and
 * not from the one before, so that no error adds up; a phase goes on where the one before ended.
 */
export function* arrivals(phases: readonly Phase[]): Generator<number> {
  let dueBefore = 0;
  let beginsAt = 0;
  for (const { fromRate, toRate, seconds } of phases) {
    const dueAfter = dueBefore + ((fromRate + toRate) / 2) * seconds;
    const change = (toRate - fromRate) / seconds;
    for (let n = Math.ceil(dueBefore); n < dueAfter; n++) {
      yield (beginsAt + secondsUntil(n - dueBefore, fromRate, change)) * 1000;
    }
    dueBefore = dueAfter;
    beginsAt += seconds;
  }
}

/** Solves `count = rate * t + change * t² / 2`, in the form that also holds for `change` 0. */
function secondsUntil(count: number, rate: number, change: number): number {
  if (count === 0) return 0;
  return (2 * count) / (rate + Math.sqrt(Math.max(0, rate ** 2 + 2 * change * count)));
}

export function totalSeconds(phases: readonly Phase[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}
