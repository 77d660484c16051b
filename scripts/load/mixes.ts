/** What a client may do. `wait` creates a task and waits for its end in one request. */
export const OPERATIONS = ['create', 'get', 'list', 'wait', 'cancel'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Shares of the requests. Each mix creates, since there is nothing to look at otherwise. */
export const MIXES = {
  default: { create: 60, get: 20, list: 8, wait: 8, cancel: 4 },
  create: { create: 100 },
  read: { create: 2, get: 70, list: 28 },
  wait: { wait: 100 },
  cancel: { create: 50, cancel: 50 },
} as const satisfies Record<string, Partial<Record<Operation, number>>>;
export type MixName = keyof typeof MIXES;

/** Commands, and their shares of those that are created. */
const COMMANDS = [
  { share: 60, request: { command: 'echo hello' } },
  // 24 kB of output.
  { share: 15, request: { command: 'seq 1 5000' } },
  // Some 10 ms of CPU.
  { share: 10, request: { command: 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i' } },
  { share: 10, request: { command: 'echo no such thing >&2; exit 3' } },
  // Time without CPU: it holds a worker all the same.
  { share: 5, request: { argv: ['sleep', '0.2'] } },
] as const;

/** The operation of a request, by its number: the same in every run, and well mixed at any time. */
export function operationOf(mix: MixName, number: number): Operation {
  const shares = Object.entries(MIXES[mix]) as [Operation, number][];
  return pick(shares, number);
}

/** The body of a created task, by its number among them. */
export function commandOf(number: number): Record<string, unknown> {
  return pick(
    COMMANDS.map(({ share, request }) => [request, share] as const),
    number,
  );
}

/** The multiples of the golden ratio, without their whole part, spread evenly over 0 to 1. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

function pick<T>(shares: readonly (readonly [T, number])[], number: number): T {
  const total = shares.reduce((sum, [, share]) => sum + share, 0);
  let left = (((number + 1) * GOLDEN_RATIO) % 1) * total;
  const found = shares.find(([, share]) => {
    left -= share;
    return left < 0;
  });
  const [picked] = found ?? shares[shares.length - 1] ?? [];
  return picked as T;
}
