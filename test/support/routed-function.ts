import { ROUTES } from '../../lib/http/routes.ts';
import type { FunctionName } from './functions.ts';

/** The function that serves a route (`GET /api/tasks`). */
export function functionOf(route: string): FunctionName {
  const [method = '', path = ''] = route.split(' ');
  const methods: Readonly<Record<string, string>> = ROUTES[path as keyof typeof ROUTES] ?? {};
  const name = methods[method];
  if (name === undefined) throw new Error(`there is no ${route}`);
  return name as FunctionName;
}
