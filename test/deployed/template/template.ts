import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { TEMPLATE } from '../package-once.ts';

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: each check knows the type it looks at
  Properties?: Record<string, any>;
  readonly DependsOn?: string | string[];
  DeletionPolicy?: string;
}

export interface Template {
  readonly Resources: Record<string, Resource>;
  readonly Outputs?: Record<string, unknown>;
}

/** What `serverless package --stage prod` made. */
export function packagedTemplate(): Template {
  return readTemplate(TEMPLATE);
}

/** The same, with `--param database=aurora`. */
export function auroraTemplate(): Template {
  return readTemplate('aurora.json');
}

function readTemplate(name: string): Template {
  return JSON.parse(readFileSync(join(inject('packaged'), name), 'utf8'));
}

/** A copy in which somebody has made a mistake. */
export function broken(template: Template, mistake: (copy: Template) => void): Template {
  const copy = structuredClone(template);
  mistake(copy);
  return copy;
}

/** The properties of a resource that must be there. */
export function properties(template: Template, id: string) {
  const found = template.Resources[id]?.Properties;
  if (found === undefined) throw new Error(`the template has no ${id}`);
  return found;
}

export function ofType(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.Resources).filter(([, { Type }]) => Type === type);
}
