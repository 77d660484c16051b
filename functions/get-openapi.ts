import { httpHandler } from '../lib/http/http-handler.ts';
import { makeOpenApi } from '../lib/http/openapi/document.ts';
import { ok } from '../lib/http/response.ts';
import { once } from '../lib/once.ts';
import { edge } from '../lib/services.ts';

const openApi = once(() => makeOpenApi());

/** `GET /openapi.json`: the OpenAPI document of this API. */
export const handler = httpHandler({ ...edge, open: openApi }, async (_event, document) =>
  ok(document),
);
