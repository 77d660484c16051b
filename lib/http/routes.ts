/**
 * The routes of `serverless.yml` again, each with the function that serves it: what the function for
 * unknown routes and the OpenAPI document go by. Who serves GET serves HEAD.
 */
export const ROUTES = {
  '/api/tasks': { GET: 'list-tasks', POST: 'create-task' },
  '/api/tasks/batch': { POST: 'create-tasks' },
  '/api/tasks/{taskId}': { GET: 'get-task' },
  '/api/tasks/{taskId}/output': { GET: 'get-output' },
  '/api/tasks/{taskId}/cancel': { POST: 'cancel-task' },
  '/api/tasks/{taskId}/retry': { POST: 'retry-task' },
  '/api/stats': { GET: 'get-stats' },
  '/api/dead-letters': { GET: 'list-dead-letters' },
  '/api/dead-letters/redrive': { POST: 'redrive-dead-letters' },
  '/api/audit': { GET: 'list-audit' },
  '/health/live': { GET: 'health-live' },
  '/health/ready': { GET: 'health-ready' },
  '/openapi.json': { GET: 'get-openapi' },
  '/docs': { GET: 'get-docs' },
  '/docs/{asset}': { GET: 'get-docs' },
} as const satisfies Record<string, Route>;

type Route = Readonly<Partial<Record<'GET' | 'POST', string>>>;

/** The methods that a path takes, as the header `Allow` lists them; none when it is not a route. */
export function methodsOf(path: string): readonly string[] {
  const segments = segmentsOf(path);
  const found = Object.entries(ROUTES).find(([known]) => matches(segmentsOf(known), segments));
  if (!found) return [];
  const served = Object.keys(found[1]).flatMap((method) =>
    method === 'GET' ? ['GET', 'HEAD'] : [method],
  );
  return [...served, 'OPTIONS'];
}

function segmentsOf(path: string): string[] {
  return path.split('/');
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) =>
      part.startsWith('{') ? segments[index] !== '' : part === segments[index],
    )
  );
}
