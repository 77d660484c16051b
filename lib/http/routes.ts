/** The routes of `serverless.yml` again, as the function for unknown routes cannot see them. */
export const ROUTES = [
  { path: '/api/tasks', methods: ['GET', 'POST'] },
  { path: '/api/tasks/batch', methods: ['POST'] },
  { path: '/api/tasks/{taskId}', methods: ['GET'] },
  { path: '/api/tasks/{taskId}/output', methods: ['GET'] },
  { path: '/api/tasks/{taskId}/cancel', methods: ['POST'] },
  { path: '/api/tasks/{taskId}/retry', methods: ['POST'] },
  { path: '/api/stats', methods: ['GET'] },
  { path: '/api/dead-letters', methods: ['GET'] },
  { path: '/api/dead-letters/redrive', methods: ['POST'] },
  { path: '/api/audit', methods: ['GET'] },
  { path: '/health/live', methods: ['GET'] },
  { path: '/health/ready', methods: ['GET'] },
] as const;

/** The methods that a path takes; none when it is not a route. */
export function methodsOf(path: string): readonly string[] {
  const segments = segmentsOf(path);
  const route = ROUTES.find((candidate) => matches(segmentsOf(candidate.path), segments));
  return route?.methods ?? [];
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
