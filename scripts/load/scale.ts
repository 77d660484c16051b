/** Where a value lies on an axis, from 0 to 1, and which values to name there. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

const MAX_TICKS = 5;

/** From 0 to a round number that is not less than `most`. */
export function linearScale(most: number): Scale {
  const step = roundStep(Math.max(most, 1) / MAX_TICKS);
  const count = Math.max(1, Math.ceil(most / step - 1e-9));
  const end = count * step;
  return {
    at: (value) => value / end,
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
  };
}

/** From 0 to exactly `end`: time goes on until the end of the picture, not to a round number. */
export function timeScale(end: number): Scale {
  const step = roundStep(end / 10, [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600]);
  return {
    at: (value) => value / end,
    ticks: Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step),
  };
}

/** Powers of ten, of which there are at least two: a factor is the same length everywhere. */
export function logScale(least: number, most: number): Scale {
  const first = Math.floor(Math.log10(Math.max(least, 0.1)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(most, 0.1))));
  return {
    at: (value) => Math.max(0, (Math.log10(value) - first) / (last - first)),
    ticks: Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index)),
  };
}

function roundStep(least: number, known: readonly number[] = []): number {
  const found = known.find((step) => step >= least);
  if (found !== undefined) return found;
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}
