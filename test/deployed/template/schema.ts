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
 * values that are not allowed, references to nothing and to attributes that a resource has not, and
 * resources that wait for each other.
 */
export function schemaComplaints(template: Template): string[] {
  const complaints = Object.entries(template.Resources).flatMap(([id, { Type, Properties }]) => {
    if (Type.startsWith('Custom::')) return []; // what our own function makes of it
    const [spec] = specification().lookup('resource', 'cloudFormationType', 'equals', Type);
    if (spec === undefined) return [`${id}: there is no resource type ${Type}`];
    return objectComplaints(id, Properties ?? {}, spec.properties);
  });
  return [...complaints, ...referenceComplaints(template), ...circleComplaints(template)];
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

interface Reference {
  /** Where it stands. */
  readonly path: string;
  readonly id: string;
  readonly attribute?: string | undefined;
}

/** Every `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn` must lead somewhere. */
function referenceComplaints(template: Template): string[] {
  return [
    ...Object.keys(template.Resources).flatMap((id) => referencesOf(template, id)),
    ...referencesIn('Outputs', template.Outputs ?? {}),
  ].flatMap(({ path, id, attribute }) => {
    const resource = template.Resources[id];
    if (resource === undefined) return [`${path} refers to ${id}, which does not exist`];
    if (attribute === undefined) return [];
    const { Type } = resource;
    const [spec] = specification().lookup('resource', 'cloudFormationType', 'equals', Type);
    if (!spec || attribute in spec.attributes) return [];
    return [`${path}: ${Type} has no attribute ${attribute}`];
  });
}

/** CloudFormation makes a resource after those that it refers to. */
function circleComplaints(template: Template): string[] {
  const done = new Set<string>();
  const walk = (id: string, way: readonly string[]): string[] => {
    const before = way.slice(way.indexOf(id));
    if (way.includes(id)) return [`${[...before, id].join(' waits for ')}: a circle`];
    if (done.has(id)) return [];
    const next = new Set(referencesOf(template, id).map((reference) => reference.id));
    const circles = [...next].flatMap((other) => walk(other, [...way, id]));
    done.add(id);
    return circles;
  };
  return Object.keys(template.Resources).flatMap((id) => walk(id, []));
}

function referencesOf(template: Template, id: string): Reference[] {
  const { DependsOn = [], ...resource } = template.Resources[id] ?? {};
  const waits = [DependsOn].flat().map((other) => ({ path: `${id}.DependsOn`, id: other }));
  return [...referencesIn(`Resources.${id}`, resource), ...waits];
}

function referencesIn(path: string, value: unknown): Reference[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => referencesIn(`${path}[${index}]`, item));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    if (key === 'Ref') return reference(path, String(item));
    if (key === 'Fn::GetAtt') return reference(path, [item].flat().join('.'));
    if (key !== 'Fn::Sub') return referencesIn(`${path}.${key}`, item);
    const [text, own] = Array.isArray(item) ? item : [item, {}];
    const names = [...String(text).matchAll(/\$\{([^!}][^}]*)\}/g)].map(([, name = '']) => name);
    const foreign = names.filter((name) => !(name in own));
    return [...foreign.flatMap((name) => reference(path, name)), ...referencesIn(path, own)];
  });
}

function reference(path: string, name: string): Reference[] {
  if (name.startsWith('AWS::')) return [];
  const [id = '', ...attribute] = name.split('.');
  return [{ path, id, ...(attribute.length > 0 && { attribute: attribute.join('.') }) }];
}

function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false;
  const [key, ...others] = Object.keys(value);
  return others.length === 0 && (key === 'Ref' || key?.startsWith('Fn::') === true);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
