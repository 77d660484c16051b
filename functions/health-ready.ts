import { httpHandler } from '../lib/http/http-handler.ts';
import { HttpProblem } from '../lib/http/problem.ts';
import { ok } from '../lib/http/response.ts';
import { health } from '../lib/services.ts';

/** `GET /health/ready`: 200 when Postgres and the queue answer, else 503 naming what is down. */
export const handler = httpHandler(health, async (_event, { checkHealth }) => {
  const checks = await checkHealth();
  const down = Object.entries(checks).flatMap(([part, state]) => (state === 'down' ? [part] : []));
  if (down.length === 0) return ok({ status: 'ready', checks });
  throw new HttpProblem('unavailable', `Down: ${down.join(', ')}.`, {
    headers: { 'retry-after': '1' },
    members: { checks },
  });
});
