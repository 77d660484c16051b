/** Object ids of pg_type, which are the same in every database. */
const TEXT_ARRAY = 1009;
const BYTEA_ARRAY = 1001;
const ARRAYS = [TEXT_ARRAY, BYTEA_ARRAY, 1007 /* int4[] */, 1016 /* int8[] */, 2951 /* uuid[] */];

/**
 * The array types that our statements use. postgres.js would read them from the server on each new
 * connection, but a connection that is lost meanwhile then ends the process: 3.4.9 leaves that
 * query's rejection unhandled.
 */
export const arrayTypes = Object.fromEntries(
  ARRAYS.map((oid) => [
    `array${oid}`,
    { to: oid, from: [oid], serialize: toArrayLiteral, parse: fromArrayLiteral },
  ]),
);

/**
 * Bytes as an item of a `bytea[]`: postgres.js takes a list of buffers for a buffer.
 * https://www.postgresql.org/docs/current/datatype-binary.html#DATATYPE-BINARY-BYTEA-HEX-FORMAT
 */
export function toBytea(bytes: Buffer): string {
  return `\\x${bytes.toString('hex')}`;
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO, in one dimension. */
export function toArrayLiteral(items: readonly (string | number)[]): string {
  return `{${items.map((item) => `"${String(item).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** The items as text: of our arrays, only those of text are read. */
export function fromArrayLiteral(literal: string): string[] {
  const items = literal.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/gs);
  return Array.from(
    items,
    ([, quoted, plain = '']) => quoted?.replaceAll(/\\(.)/gs, '$1') ?? plain,
  );
}
