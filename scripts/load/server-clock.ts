import type { Answer } from './client.ts';

/** What the server's clock showed when the run began, as seen from its answers. */
export function openServerClock(beganAt: number) {
  let least = Number.POSITIVE_INFINITY;
  return {
    note(answer: Answer, doneMs: number) {
      if (answer.kind !== 'answered' || answer.status !== 202) return;
      const { createdAt } = JSON.parse(answer.body) as { createdAt: string };
      // Created before the answer came: the difference is that of the clocks and some time on top,
      // and least where this time was shortest.
      least = Math.min(least, beganAt + doneMs - Date.parse(createdAt));
    },
    beganAt: () => beganAt - (Number.isFinite(least) ? least : 0),
  };
}
