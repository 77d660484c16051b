/** A CloudFormation value as the YAML parser leaves it: plain data with intrinsic functions. */
export type Template = Record<string, Resource>;

export interface Resource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
}

/** Answers `Ref` (no attribute) and `Fn::GetAtt`; undefined when the name is not known here. */
export type Lookup = (logicalId: string, attribute?: string) => string | undefined;

/** The pseudo parameters, with the values that SQS emulators use. */
export function pseudoParameters(region: string, stackName: string): Lookup {
  const values: Record<string, string> = {
    'AWS::Region': region,
    'AWS::AccountId': '000000000000',
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': stackName,
  };
  return (logicalId, attribute) => (attribute === undefined ? values[logicalId] : undefined);
}

/**
 * Replaces `Ref`, `Fn::GetAtt`, `Fn::Sub` and `Fn::Join` wherever the lookup knows the answer.
 * What it does not know stays as it was, so a caller sees which value is unresolved.
 */
export function resolveIntrinsics(value: unknown, lookup: Lookup): unknown {
  if (Array.isArray(value)) return value.map((item) => resolveIntrinsics(item, lookup));
  if (typeof value !== 'object' || value === null) return value;

  const [name, argument] = onlyEntry(value);
  const resolved = name === undefined ? undefined : call(name, argument, lookup);
  if (resolved !== undefined) return resolved;

  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, resolveIntrinsics(item, lookup)]),
  );
}

function call(name: string, argument: unknown, lookup: Lookup): string | undefined {
  switch (name) {
    case 'Ref':
      return typeof argument === 'string' ? lookup(argument) : undefined;
    case 'Fn::GetAtt':
      return getAtt(argument, lookup);
    case 'Fn::Sub':
      return substitute(argument, lookup);
    case 'Fn::Join':
      return join(argument, lookup);
    default:
      return undefined;
  }
}

/** Takes both spellings: `[Queue, Arn]` and `Queue.Arn`. */
function getAtt(argument: unknown, lookup: Lookup): string | undefined {
  const path = typeof argument === 'string' ? argument.split('.') : argument;
  if (!Array.isArray(path)) return undefined;
  const [logicalId, ...attribute] = path.map(String);
  return logicalId === undefined ? undefined : lookup(logicalId, attribute.join('.'));
}

/** Takes both forms: a text, and a text with its own variables. */
function substitute(argument: unknown, lookup: Lookup): string | undefined {
  const [text, variables] = Array.isArray(argument) ? argument : [argument, {}];
  if (typeof text !== 'string') return undefined;
  const own = resolveIntrinsics(variables, lookup) as Record<string, unknown>;

  let complete = true;
  const result = text.replace(/\$\{(!?)([^}]+)\}/g, (whole, literal: string, name: string) => {
    if (literal) return `\${${name}}`;
    const [logicalId = '', ...attribute] = name.split('.');
    const found =
      own[name] ?? lookup(logicalId, attribute.length > 0 ? attribute.join('.') : undefined);
    if (typeof found !== 'string') complete = false;
    return typeof found === 'string' ? found : whole;
  });
  return complete ? result : undefined;
}

function join(argument: unknown, lookup: Lookup): string | undefined {
  if (!Array.isArray(argument) || !Array.isArray(argument[1])) return undefined;
  const parts = argument[1].map((part) => resolveIntrinsics(part, lookup));
  return parts.every((part) => typeof part === 'string')
    ? parts.join(String(argument[0]))
    : undefined;
}

function onlyEntry(value: object): [string, unknown] | [undefined, undefined] {
  const [entry, ...others] = Object.entries(value);
  return entry !== undefined && others.length === 0 ? entry : [undefined, undefined];
}
