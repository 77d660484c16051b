import { httpHandler } from '../lib/http/http-handler.ts';
import { HttpProblem } from '../lib/http/problem.ts';
import { methodsOf } from '../lib/http/routes.ts';
import { edge } from '../lib/services.ts';

/** Whatever no other function serves: OPTIONS and 405 where the path exists, else 404. */
export const handler = httpHandler({ ...edge, open: () => undefined }, async (event) => {
  const { method, path } = event.requestContext.http;
  const allowed = methodsOf(path);
  if (allowed.length === 0) {
    throw new HttpProblem('route_not_found', `There is no ${path} here. Try ${hint(path)}.`);
  }
  const headers = { allow: allowed.join(', ') };
  if (method === 'OPTIONS') return { statusCode: 204, headers, body: '' };
  throw new HttpProblem(
    'method_not_allowed',
    `${path} does not take ${method}; it takes ${allowed.join(', ')}.`,
    { headers },
  );
});

/** A slash at the end is the likeliest mistake. */
function hint(path: string): string {
  const shorter = path.replace(/\/+$/, '');
  return methodsOf(shorter).length > 0 ? shorter : 'GET /api/tasks, or /docs in a browser';
}
