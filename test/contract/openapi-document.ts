import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { oas31 } from 'zod-openapi';

export type Schema = oas31.SchemaObject;

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly oas31.ParameterObject[];
  readonly requestBody: oas31.RequestBodyObject | undefined;
  readonly responses: Readonly<Record<string, oas31.ResponseObject>>;
}

/** A document that validates: requests as they are described, and answers to the last field. */
export interface OpenApi {
  readonly operations: readonly Operation[];
  /** The operation of a request line; undefined where the document has none. */
  find(method: string, path: string): Operation | undefined;
  validatorOf(schema: Schema): ValidateFunction;
  /** The schema itself where another one refers to it. */
  resolve(schema: Schema): Schema;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const ID = 'openapi.json';

/**
 * Reads a document. Its answers may have more fields than it lists, so that new ones break nobody;
 * here each of them must be listed, as a field that is not would be a description that is not true.
 */
export function readOpenApi(text: string): OpenApi {
  const document = closeAnswers(JSON.parse(text));
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addFormat('base64', /^[A-Za-z0-9+/]*={0,2}$/);
  ajv.addSchema(withAbsoluteRefs(document), ID);
  const validators = new Map<Schema, ValidateFunction>();
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation ? [operationOf(document, method, path, operation)] : [];
    }),
  );
  return {
    operations,
    find: (method, path) =>
      operations
        .filter((operation) => operation.method === (method === 'HEAD' ? 'GET' : method))
        // A literal path goes before one with a parameter.
        .sort((a, b) => a.path.split('{').length - b.path.split('{').length)
        .find((operation) => patternOf(operation.path).test(pathOf(path))),
    validatorOf(schema) {
      const known = validators.get(schema) ?? ajv.compile(withAbsoluteRefs(schema));
      validators.set(schema, known);
      return known;
    },
    resolve: (schema) => resolveRef(document, schema),
  };
}

/** What a server makes of a path, before it looks for a route: `/api/tasks/..` is `/api/`. */
export function pathOf(path: string): string {
  return new URL(path, 'http://localhost').pathname;
}

/** Matches the paths of a template, with its parameters as groups. */
export function patternOf(template: string): RegExp {
  const pattern = template
    .replace(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return new RegExp(`^${pattern}$`);
}

function operationOf(
  document: oas31.OpenAPIObject,
  method: string,
  path: string,
  operation: oas31.OperationObject,
): Operation {
  return {
    method: method.toUpperCase(),
    path,
    parameters: (operation.parameters ?? []).map((each) => resolveRef(document, each)),
    requestBody: operation.requestBody && resolveRef(document, operation.requestBody),
    responses: Object.fromEntries(
      Object.entries(operation.responses ?? {}).map(([status, response]) => [
        status,
        withHeaders(document, resolveRef(document, response)),
      ]),
    ),
  };
}

function withHeaders(document: oas31.OpenAPIObject, response: oas31.ResponseObject) {
  const headers = Object.entries(response.headers ?? {});
  return {
    ...response,
    headers: Object.fromEntries(headers.map(([name, one]) => [name, resolveRef(document, one)])),
  };
}

function resolveRef<T extends object>(
  document: oas31.OpenAPIObject,
  value: T | oas31.ReferenceObject,
): T {
  if (!('$ref' in value) || typeof value.$ref !== 'string') return value as T;
  const names = value.$ref.replace(/^#\//, '').split('/');
  return names.reduce<unknown>(
    (part, name) => (part as Record<string, unknown>)[name],
    document,
  ) as T;
}

function withAbsoluteRefs<T>(schema: T): T {
  const refs = (key: string, value: unknown) =>
    key === '$ref' && typeof value === 'string' ? value.replace(/^#/, `${ID}#`) : value;
  return JSON.parse(JSON.stringify(schema), refs);
}

/** Allows an object no field that is not described, also where several schemas describe it. */
function closeAnswers(document: oas31.OpenAPIObject): oas31.OpenAPIObject {
  const parts = new Set(
    Array.from(
      JSON.stringify(document).matchAll(/"allOf":\[\{"\$ref":"([^"]+)"/g),
      ([, ref]) => ref,
    ),
  );
  const schemas = document.components?.schemas ?? {};
  for (const [name, schema] of Object.entries(schemas)) {
    close(schema, parts.has(`#/components/schemas/${name}`));
  }
  close(document.paths);
  return document;
}

/** What is a part of another schema leaves it to that one what else there may be. */
function close(value: unknown, isPart = false): void {
  if (typeof value !== 'object' || value === null) return;
  const schema = value as Record<string, unknown>;
  const describesObject =
    typeof schema.properties === 'object' ||
    (Array.isArray(schema.allOf) && schema.type === undefined);
  if (!isPart && describesObject && schema.additionalProperties === undefined) {
    schema.unevaluatedProperties = false;
  }
  for (const [key, child] of Object.entries(schema)) {
    if (key === 'allOf') for (const part of child as unknown[]) close(part, true);
    else close(child);
  }
}
