import { readFileSync } from 'node:fs';
import type { FunctionName } from './functions.ts';

/** The function that serves a route (`GET /api/tasks`), as serverless.yml has it. */
export function functionOf(route: string): FunctionName {
  const text = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  let name = '';
  for (const line of text.split('\n')) {
    name = /^ {2}([\w-]+):$/.exec(line)?.[1] ?? name;
    if (line.trim() === `- httpApi: ${route}`) return name as FunctionName;
  }
  throw new Error(`serverless.yml has no ${route}`);
}
