import fc, { type Arbitrary } from 'fast-check';
import type { OpenApi, Schema } from './openapi-document.ts';

/** Longer texts are rare: they say little more, and cost time. */
const USUAL_LENGTH = 30;
const USUAL_ITEMS = 4;
const RARE = 1;
const USUAL = 60;

/**
 * Values that a schema of the document admits: the part of JSON Schema that it uses. They are often
 * at the ends of what it allows, and a text is any text. What the keywords beside the type forbid
 * (`oneOf`, `not`) is filtered out.
 */
export function arbitraryOf(openApi: OpenApi, schema: Schema): Arbitrary<unknown> {
  const resolved = openApi.resolve(schema);
  const valid = openApi.validatorOf(schema);
  return ofType(openApi, resolved).filter((value) => valid(value) === true);
}

function ofType(openApi: OpenApi, schema: Schema): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'string':
      return text(schema);
    case 'integer':
      return wholeNumber(schema);
    case 'array':
      return list(openApi, schema);
    case 'object':
      return object(openApi, schema);
    default:
      throw new Error(`no arbitrary for ${JSON.stringify(schema).slice(0, 200)}`);
  }
}

function text(schema: Schema): Arbitrary<string> {
  const { minLength = 0, maxLength, format } = schema;
  if (format === 'date-time') return time;
  const patterns = [schema, ...(schema.allOf ?? [])].flatMap((part) =>
    'pattern' in part && part.pattern ? [new RegExp(part.pattern, 'u')] : [],
  );
  const narrow = patterns.find((pattern) => !pattern.test('é 🚀'));
  const usual: Arbitrary<string> = narrow
    ? fc.stringMatching(narrow)
    : fc.string({ minLength, maxLength: Math.min(maxLength ?? USUAL_LENGTH, USUAL_LENGTH), unit });
  if (narrow || maxLength === undefined) return usual;
  return fc.oneof(
    { weight: USUAL, arbitrary: usual },
    { weight: RARE, arbitrary: fc.constantFrom('x', '🚀').map((one) => one.repeat(maxLength)) },
  );
}

const unit = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }),
  fc.constantFrom(' ', '\n', "'", '"', '\\', '%', '\u0001', '\u202e', '\ufeff', 'é', '🚀'),
);

const time: Arbitrary<string> = fc
  .tuple(
    fc.date({
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    }),
    fc.constantFrom('Z', '+00:00', '-23:59', '+14:00'),
  )
  .map(([date, offset]) => date.toISOString().replace('Z', offset));

function wholeNumber({ minimum = -1_000_000, maximum = 1_000_000 }: Schema): Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: Number(minimum), max: Math.min(Number(maximum), 2 ** 31 - 1) }),
    fc.constantFrom(Number(minimum), Number(maximum)),
  );
}

function list(openApi: OpenApi, schema: Schema): Arbitrary<unknown[]> {
  const { minItems = 0, maxItems = USUAL_ITEMS } = schema;
  const item = arbitraryOf(openApi, schema.items as Schema);
  return fc.oneof(
    {
      weight: USUAL,
      arbitrary: fc.array(item, {
        minLength: minItems,
        maxLength: Math.min(maxItems, USUAL_ITEMS),
      }),
    },
    {
      weight: RARE,
      arbitrary: item.filter(isSmall).map((one) => Array(maxItems).fill(one)),
    },
  );
}

/** So that as many as there may be are no body over the limit. */
function isSmall(value: unknown): boolean {
  return JSON.stringify(value).length < 1000;
}

function object(openApi: OpenApi, schema: Schema): Arbitrary<object> {
  const { properties, additionalProperties, propertyNames, required = [] } = schema;
  if (!properties) {
    const name = arbitraryOf(openApi, propertyNames as Schema) as Arbitrary<string>;
    const value = arbitraryOf(openApi, additionalProperties as Schema);
    return fc.dictionary(name, value, { maxKeys: USUAL_ITEMS, noNullPrototype: true });
  }
  const fields: Record<string, Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(properties)) {
    fields[name] = arbitraryOf(openApi, field as Schema);
  }
  return fc.record(fields, {
    requiredKeys: required,
    noNullPrototype: true,
  });
}
