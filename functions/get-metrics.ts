import { EVERYBODY } from '../lib/access/caller.ts';
import { apiHandler } from '../lib/http/api-handler.ts';
import { HttpProblem } from '../lib/http/problem.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { observation } from '../lib/services.ts';

const OPEN_METRICS = 'application/openmetrics-text';

/**
 * `GET /metrics`: what this process has measured, and how much there is to do, for Prometheus. Not on
 * AWS, where measurements go to CloudWatch. They are of all tenants, so a key has to be the operator's.
 */
export const handler = apiHandler(
  observation,
  { scope: 'admin', query: NoQuery, produces: [OPEN_METRICS, 'text/plain'] },
  async ({ caller }, { readMetrics }) => {
    if (caller.tenant !== EVERYBODY.tenant) {
      throw new HttpProblem(
        'insufficient_scope',
        `This is for keys of the tenant "${EVERYBODY.tenant}", who runs the system.`,
      );
    }
    if (!readMetrics) {
      throw new HttpProblem('route_not_found', 'Metrics are not kept here: METRICS says so.');
    }
    const { contentType, text } = await readMetrics();
    return {
      statusCode: 200,
      headers: { 'content-type': contentType, 'cache-control': 'no-store' },
      body: text,
    };
  },
);
