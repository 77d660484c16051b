import { httpHandler } from '../lib/http/http-handler.ts';
import { ok } from '../lib/http/response.ts';
import { edge } from '../lib/services.ts';

/** `GET /health/live`: this process answers; says nothing about what it depends on. */
export const handler = httpHandler({ ...edge, open: () => undefined }, async () =>
  ok({ status: 'live' }),
);
