import { createRequire } from 'node:module';
import { join } from 'node:path';
import { TOOLS } from '../package-once.ts';
import type { Template } from './template.ts';

/** The part of AWS's specification that is read here. */
interface PropertyType {
  readonly type: string;
  readonly element?: PropertyType;
  readonly types?: readonly PropertyType[];
  readonly reference?: { readonly $ref: string };
  readonly allowedValues?: readonly unknown[];
}
interface Property {
  readonly type: PropertyType;
  readonly previousTypes?: readonly PropertyType[];
  readonly required?: boolean;
}
type Properties = Readonly<Record<string, Property>>;
interface Specification {
  lookup(kind: 'resource', key: string, how: 'equals', value: string): readonly [ResourceSpec?];
  get(kind: 'typeDefinition', id: string): { readonly properties: Properties };
}
interface ResourceSpec {
  readonly properties: Properties;
  readonly attributes: Readonly<Record<string, unknown>>;
}

let loaded: Specification | undefined;

function specification(): Specification {
  const home = createRequire(join(TOOLS, 'package.json'));
  loaded ??= home('@aws-cdk/aws-service-spec').loadAwsServiceSpecSync() as Specification;
  return loaded;
}

/**
 * Holds a template against AWS's own resource schemas: unknown, missing and mistyped properties,
 * values that are not allowed, references to nothing and to attributes that a resource has not.
 */
export function schemaComplaints(template: Template): string[] {
  const complaints = Object.entries(template.Resources).flatMap(([id, { Type, Properties }]) => {
    if (Type.startsWith('Custom::')) return []; // what our own function makes of it
    const [spec] = specification().lookup('resource', 'cloudFormationType', 'equals', Type);
    if (spec === undefined) return [`${id}: there is no resource type ${Type}`];
    return objectComplaints(id, Properties ?? {}, spec.properties);
  });
  return [...complaints, ...referenceComplaints(template)];
}

function objectComplaints(path: string, value: object, properties: Properties): string[] {
  const missing = Object.entries(properties)
    .filter(([name, { required }]) => required && !(name in value))
    .map(([name]) => `${path}.${name} is missing`);
  const wrong = Object.entries(value).flatMap(([name, item]) => {
    const property = properties[name];
    if (property === undefined) return [`${path}.${name} is unknown`];
    const types = [property.type, ...(property.previousTypes ?? [])];
    return unionComplaints(`${path}.${name}`, item, types);
  });
  return [...missing, ...wrong];
}

function unionComplaints(path: string, value: unknown, types: readonly PropertyType[]): string[] {
  const answers = types.map((type) => valueComplaints(path, value, type));
  return answers.find((complaints) => complaints.length === 0) ?? answers[0] ?? [];
}

function valueComplaints(path: string, value: unknown, type: PropertyType): string[] {
  if (isIntrinsic(value)) return [];
  switch (type.type) {
    case 'string':
      if (type.allowedValues && !type.allowedValues.includes(value)) {
        return [`${path} is ${value}, which is not allowed`];
      }
      return typeof value === 'object' ? [`${path} must be a text`] : [];
    case 'integer':
    case 'number':
      return Number.isFinite(Number(value)) && typeof value !== 'object'
        ? []
        : [`${path} must be a number`];
    case 'boolean':
      return value === true || value === false ? [] : [`${path} must be true or false`];
    case 'array':
      if (!Array.isArray(value)) return [`${path} must be a list`];
      return value.flatMap((item, index) =>
        valueComplaints(`${path}[${index}]`, item, type.element ?? { type: 'json' }),
      );
    case 'map':
      if (!isObject(value)) return [`${path} must be a map`];
      return Object.entries(value).flatMap(([key, item]) =>
        valueComplaints(`${path}.${key}`, item, type.element ?? { type: 'json' }),
      );
    case 'ref': {
      if (!isObject(value)) return [`${path} must be an object`];
      const { properties } = specification().get('typeDefinition', type.reference?.$ref ?? '');
      return objectComplaints(path, value, properties);
    }
    case 'union':
      return unionComplaints(path, value, type.types ?? []);
    default:
      return []; // json, tag and the like take anything
  }
}

/** Every `Ref`, `Fn::GetAtt` and `Fn::Sub` must lead somewhere. */
function referenceComplaints(template: Template): string[] {
  const complaints: string[] = [];
  const check = (path: string, id: string, attribute?: string) => {
    if (id.startsWith('AWS::')) return;
    const resource = template.Resources[id];
    if (resource === undefined) {
      complaints.push(`${path} refers to ${id}, which does not exist`);
      return;
    }
    if (attribute === undefined) return;
    const [spec] = specification().lookup(
      'resource',
      'cloudFormationType',
      'equals',
      resource.Type,
    );
    if (spec && !(attribute in spec.attributes)) {
      complaints.push(`${path}: ${resource.Type} has no attribute ${attribute}`);
    }
  };
  const walk = (path: string, value: unknown): void => {
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        walk(`${path}[${index}]`, item);
      });
    } else if (isObject(value)) {
      for (const [key, item] of Object.entries(value)) {
        if (key === 'Ref') check(path, String(item));
        else if (key === 'Fn::GetAtt') {
          const [id = '', ...attribute] = Array.isArray(item) ? item : String(item).split('.');
          check(path, id, attribute.join('.'));
        } else if (key === 'Fn::Sub') {
          const [text, own] = Array.isArray(item) ? item : [item, {}];
          for (const [, name = ''] of String(text).matchAll(/\$\{([^!}][^}]*)\}/g)) {
            const [id = '', ...attribute] = name.split('.');
            if (!(name in own))
              check(path, id, attribute.length > 0 ? attribute.join('.') : undefined);
          }
          walk(path, own);
        } else walk(`${path}.${key}`, item);
      }
    }
  };
  walk('Resources', template.Resources);
  walk('Outputs', template.Outputs ?? {});
  for (const [id, { DependsOn = [] }] of Object.entries(template.Resources)) {
    for (const other of [DependsOn].flat()) check(`${id}.DependsOn`, other);
  }
  return complaints;
}

function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false;
  const [key, ...others] = Object.keys(value);
  return others.length === 0 && (key === 'Ref' || key?.startsWith('Fn::') === true);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
