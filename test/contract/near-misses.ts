import fc, { type Arbitrary } from 'fast-check';

/** A change to one place of a JSON value, which makes most of them invalid. */
export interface Mutation {
  /** Picks the place among all of the value. */
  readonly at: number;
  readonly change: Change;
}

type Change =
  | { readonly kind: 'replace'; readonly by: unknown }
  | { readonly kind: 'remove' }
  | { readonly kind: 'add'; readonly name: string; readonly value: unknown }
  | { readonly kind: 'repeat'; readonly times: number };

/** Numbers beside the ends of the document's ranges, and those that languages stumble over. */
const NUMBERS = [-1, 0, -0, 0.5, 1e21, 1e308, 2 ** 31, 2 ** 53, 17, 257, 841, 1025, 2049, 3361];

const TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x'.repeat(257),
  'x'.repeat(65_537),
  '€'.repeat(90),
  '0',
  'null',
  '2030-02-30T12:00:00Z',
  '2030-01-31 12:00',
  '9999-12-31T23:59:59.999999Z',
  '0000-01-01T00:00:00Z',
  "'; drop table errand.tasks; --",
];

const wrongValue: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, [], {}, [[]], [null], { a: 1 }, [''], { '': '' }),
  fc.constantFrom(...NUMBERS),
  fc.constantFrom(...TEXTS),
);

const change: Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), by: wrongValue }),
  fc.constant({ kind: 'remove' as const }),
  fc.record({
    kind: fc.constant('add' as const),
    name: fc.oneof(
      fc.constantFrom('', 'commands', 'constructor', 'toString', '1A', 'A=B', 'argv', 'runAt'),
      // A parser that builds objects by assignment loses it, or worse.
      fc.constant('__proto__'),
      fc.string({ maxLength: 5 }),
    ),
    value: wrongValue,
  }),
  fc.record({ kind: fc.constant('repeat' as const), times: fc.constantFrom(33, 1001, 1025) }),
);

export const mutation: Arbitrary<Mutation> = fc.record({ at: fc.nat(200), change });

/** The value with the change made to a copy. */
export function mutate(value: unknown, { at, change }: Mutation): unknown {
  const copy = structuredClone(value);
  const places = placesIn({ '': copy });
  const [parent, key] = places[at % places.length] ?? [{ '': copy }, ''];
  const child = parent[key];
  if (change.kind === 'remove') Reflect.deleteProperty(parent, key);
  if (change.kind === 'replace') parent[key] = change.by;
  if (change.kind === 'repeat') {
    const item: unknown = Array.isArray(child) ? child[0] : child;
    if (isSmall(item)) parent[key] = Array(change.times).fill(item);
  }
  if (change.kind === 'add' && typeof child === 'object' && child !== null) {
    Object.defineProperty(child, change.name, { value: change.value, enumerable: true });
  }
  return places[0]?.[0][''];
}

/** A thousand of it make no body of a gigabyte. */
function isSmall(value: unknown): boolean {
  return (JSON.stringify(value) ?? '').length < 1000;
}

type Parent = Record<string, unknown>;

/** Where in a value something can be changed: the whole first, then its parts. */
function placesIn(value: Parent): [Parent, string][] {
  return Object.entries(value).flatMap(([key, child]): [Parent, string][] => [
    [value, key],
    ...(typeof child === 'object' && child !== null ? placesIn(child as Parent) : []),
  ]);
}
