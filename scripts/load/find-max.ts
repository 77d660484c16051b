/** So close to each other the highest rate that holds and the lowest that does not are brought. */
const CLOSE_ENOUGH = 1.08;
const MAX_RATE = 100_000;
const MIN_RATE = 0.5;

/**
 * The highest rate that holds: doubles until one does not (or halves until one does), and then
 * halves what lies between. `attempt` says in what a rate did not hold, or undefined to stop the search.
 * Undefined when none holds.
 */
export async function findMax(
  firstRate: number,
  attempt: (rate: number) => Promise<{ broken: readonly string[] } | undefined>,
): Promise<number | undefined> {
  let holds: number | undefined;
  let breaks: number | undefined;
  for (;;) {
    const rate = nextRate(firstRate, holds, breaks);
    if (rate === undefined) return holds;
    const step = await attempt(rate);
    if (step === undefined) return holds;
    if (step.broken.length === 0) holds = rate;
    else breaks = rate;
  }
}

/** Undefined when nothing is left to try. */
function nextRate(
  first: number,
  holds: number | undefined,
  breaks: number | undefined,
): number | undefined {
  if (holds === undefined && breaks === undefined) return first;
  if (breaks === undefined) return within(rounded((holds ?? first) * 2));
  if (holds === undefined) return within(rounded(breaks / 2));
  if (breaks / holds <= CLOSE_ENOUGH) return undefined;
  const between = rounded(Math.sqrt(holds * breaks));
  return between > holds && between < breaks ? between : undefined;
}

function within(rate: number): number | undefined {
  return rate > MAX_RATE || rate < MIN_RATE ? undefined : rate;
}

/** Rates that people would choose. */
function rounded(rate: number): number {
  return rate >= 10 ? Math.round(rate) : Math.round(rate * 10) / 10;
}
