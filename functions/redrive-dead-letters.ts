import { RedriveRequest } from '../lib/http/dead-letter-requests.ts';
import { httpHandler } from '../lib/http/http-handler.ts';
import { parseOptionalBody } from '../lib/http/parse-request.ts';
import { accepted } from '../lib/http/response.ts';
import { api } from '../lib/services.ts';

/** `POST /api/dead-letters/redrive`: sends all of them back to the queue, or the one with `id`. */
export const handler = httpHandler(api, async (event, { redrive }) => {
  const { id } = parseOptionalBody(event, RedriveRequest);
  return accepted({ redriven: await redrive(id) }, '/api/dead-letters');
});
