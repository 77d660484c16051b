import { apiHandler } from '../lib/http/api-handler.ts';
import { RedriveRequest } from '../lib/http/dead-letter-requests.ts';
import { parseOptionalBody } from '../lib/http/parse-request.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { accepted } from '../lib/http/response.ts';
import { api } from '../lib/services.ts';

/** `POST /api/dead-letters/redrive`: sends those of the tenant back, or the one with `id`. */
export const handler = apiHandler(
  api,
  { scope: 'admin', query: NoQuery },
  async ({ event, caller }, { redrive }) => {
    const { id } = parseOptionalBody(event, RedriveRequest);
    return accepted({ redriven: await redrive(caller, id) }, '/api/dead-letters');
  },
);
