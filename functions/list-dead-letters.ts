import { DeadLettersQuery } from '../lib/http/dead-letter-requests.ts';
import { httpHandler } from '../lib/http/http-handler.ts';
import { parseQuery } from '../lib/http/parse-request.ts';
import { ok } from '../lib/http/response.ts';
import { api } from '../lib/services.ts';

/** `GET /api/dead-letters`: messages that the queue gave up on. */
export const handler = httpHandler(api, async (event, { deadLetters }) => {
  const { limit } = parseQuery(event, DeadLettersQuery);
  return ok({ items: await deadLetters(limit) });
});
