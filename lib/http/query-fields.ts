import * as z from 'zod';
import type { oas31 } from 'zod-openapi';

// Parameters reach a function as text, once or several times. The OpenAPI document shows what the
// text stands for.

/** Of a route that has no parameters. */
export const NoQuery = z.strictObject({});

export const once = z.string('must be given once');

/** A text as JSON Schema measures it: in characters, of which some take two of JavaScript's. */
export function textUpTo(max: number) {
  return once
    .min(1, 'must not be empty')
    .refine((text) => [...text].length <= max, `must not be longer than ${max} characters`)
    .regex(/^[^\0]*$/, 'must be text without NUL')
    .meta({ maxLength: max });
}

/** A whole number in digits alone. */
export function wholeNumberText(
  { min, max }: { min: number; max: number },
  message = `must be a whole number from ${min} to ${max}`,
) {
  return once
    .regex(/^(0|[1-9]\d{0,14})$/, message)
    .transform(Number)
    .refine((number) => number >= min && number <= max, message)
    .meta(shownAs({ type: 'integer', minimum: min, maximum: max }));
}

export const instant = z.iso
  .datetime({
    offset: true,
    error: ({ input }) =>
      typeof input === 'string'
        ? 'must be a time as in 2030-01-31T12:00:00Z'
        : 'must be given once',
  })
  .transform((text) => withinPostgres(new Date(text)));

const EARLIEST = Date.parse('0001-01-01T00:00:00Z');
const LATEST = Date.parse('9999-12-31T00:00:00Z');

/** The year 0, and one that an offset carries past 9999, are no times to Postgres; nor to tasks. */
function withinPostgres(time: Date): Date {
  return new Date(Math.min(Math.max(time.getTime(), EARLIEST), LATEST));
}

/** A parameter that may be repeated, `max` times. */
export function repeatable<T>(item: z.ZodType<T, string>, max: number) {
  return z
    .union([z.string().transform((value) => [value]), z.array(z.string())])
    .pipe(z.array(item).max(max, `must not be given more than ${max} times`));
}

/** For `.meta()`: what the document shows in place of the text. */
export function shownAs(schema: oas31.SchemaObject) {
  return {
    override: ({ jsonSchema }: { jsonSchema: object }) => {
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      Object.assign(jsonSchema, schema);
    },
  };
}
