import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { HttpProblem, problemResponse } from '../lib/http/problem.ts';

/** The parts of hapi, serverless-offline's HTTP server, that are used here. */
interface HapiServer {
  readonly settings: { readonly router: { stripTrailingSlash: boolean } };
  ext(event: 'onRequest' | 'onPreHandler' | 'onPreResponse', step: Step): void;
}
type Step = (request: HapiRequest, toolkit: HapiToolkit) => unknown;
interface HapiRequest {
  readonly headers: Record<string, string | undefined>;
  readonly payload: unknown;
  readonly raw: { readonly req: { readonly rawHeaders: string[] } };
  readonly response: { readonly isBoom?: boolean; readonly output?: { statusCode: number } };
  mime: string | null;
}
interface HapiToolkit {
  readonly continue: symbol;
  response(body: string): HapiResponse;
}
interface HapiResponse {
  code(status: number): HapiResponse;
  header(name: string, value: string): HapiResponse;
  takeover(): HapiResponse;
}
interface HttpServer {
  createServer(): Promise<void>;
  getServer(): HapiServer;
}

/**
 * Has serverless-offline's HTTP server treat requests as API Gateway's HTTP API does: bodies reach
 * the function as they were sent, no page of another origin is invited, and what the server refuses
 * by itself is answered as problem details too. To be called before that server is made.
 */
export async function actLikeApiGateway(): Promise<void> {
  const home = import.meta.resolve('serverless-offline');
  const module = await import(new URL('events/http/HttpServer.js', home).href);
  const prototype: HttpServer = module.default.prototype;
  const { createServer } = prototype;
  prototype.createServer = async function createAdjustedServer(this: HttpServer) {
    await createServer.call(this);
    adjust(this.getServer());
  };
}

function adjust(server: HapiServer): void {
  // To API Gateway, /api/tasks/ is not /api/tasks.
  server.settings.router.stripTrailingSlash = false;

  server.ext('onRequest', (request, toolkit) => {
    // It would answer any origin's preflight with a yes. The function reads the raw headers.
    delete request.headers.origin;
    // It would answer a part of a document, which API Gateway never does.
    delete request.headers.range;
    // It builds a URL from this, and answers 500 when that fails.
    if (URL.canParse(`http://${request.headers.host}`)) return toolkit.continue;
    return refuse(toolkit, new HttpProblem('invalid_request', 'The Host header is malformed.'));
  });

  server.ext('onPreHandler', (request, toolkit) => {
    const { payload, headers, raw } = request;
    if (!(payload instanceof Uint8Array) || payload.length === 0) return toolkit.continue;
    // Of a compressed body the function says more, without reading it.
    if (!isUtf8(payload) && headers['content-encoding'] === undefined) {
      return refuse(toolkit, new HttpProblem('malformed_json', 'The body is not UTF-8.'));
    }
    // It would declare a body without a type to be JSON ...
    if (!headers['content-type']) {
      raw.req.rawHeaders.push('content-type', 'application/octet-stream');
    }
    // ... and hand over JSON as a value, so that `0` and `"text"` were no text any more.
    request.mime = 'application/octet-stream';
    return toolkit.continue;
  });

  server.ext('onPreResponse', ({ response }, toolkit) => {
    if (!response.isBoom || !response.output) return toolkit.continue;
    return refuse(toolkit, problemOf(response.output.statusCode));
  });
}

/** What the server refuses before any function sees it. */
function problemOf(status: number): HttpProblem {
  if (status === 413) return new HttpProblem('body_too_large', 'The body has more than 10 MB.');
  if (status >= 500) return new HttpProblem('internal_error', 'Something went wrong on our side.');
  return new HttpProblem(
    'invalid_request',
    'The request is malformed: check its path and headers.',
  );
}

function refuse(toolkit: HapiToolkit, problem: HttpProblem): HapiResponse {
  const { statusCode = 500, headers = {}, body = '' } = problemResponse(problem, randomUUID());
  const response = toolkit.response(body).code(statusCode);
  for (const [name, value] of Object.entries(headers)) response.header(name, String(value));
  return response.takeover();
}
