import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import { QueueUnavailable } from '../queue/task-queue.ts';
import { CommandNotAllowed, TaskError, type TaskErrorCode } from '../tasks/errors.ts';

interface ProblemShape {
  readonly status: number;
  readonly title: string;
}

/** Problems of the request itself, before any use case sees it. */
const requestProblems = {
  invalid_request: { status: 400, title: 'Invalid request' },
  malformed_json: { status: 400, title: 'Malformed JSON' },
  unauthenticated: { status: 401, title: 'Unauthenticated' },
  insufficient_scope: { status: 403, title: 'Insufficient scope' },
  cross_origin: { status: 403, title: 'Cross-origin request' },
  unknown_host: { status: 421, title: 'Unknown host' },
  route_not_found: { status: 404, title: 'Route not found' },
  not_acceptable: { status: 406, title: 'Not acceptable' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  body_too_large: { status: 413, title: 'Body too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  rate_limited: { status: 429, title: 'Rate limited' },
  internal_error: { status: 500, title: 'Internal error' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
} as const satisfies Record<string, ProblemShape>;

const taskProblems = {
  task_not_found: { status: 404, title: 'Task not found' },
  attempt_not_found: { status: 404, title: 'Attempt not found' },
  dead_letter_not_found: { status: 404, title: 'Dead letter not found' },
  task_ended: { status: 409, title: 'Task has ended' },
  task_not_ended: { status: 409, title: 'Task has not ended' },
  command_not_allowed: { status: 403, title: 'Command not allowed' },
  idempotency_key_reused: { status: 422, title: 'Idempotency key reused' },
} as const satisfies Record<TaskErrorCode, ProblemShape>;

/** What can go wrong for a caller: the stable code, its status, and a title that never varies. */
export const PROBLEMS = { ...requestProblems, ...taskProblems };
export type ProblemCode = keyof typeof PROBLEMS;

/** A complaint about one field: `path` as in `labels.team` or `argv.0`. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface ProblemExtras {
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the problem document. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** A request that cannot be served; the caller learns `detail` and the extras. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.code = code;
    this.extras = extras;
  }
}

/** Puts any error into words for the caller. What is not known is a bare `internal_error`. */
export function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof CommandNotAllowed) return notAllowed(error);
  if (error instanceof TaskError) return new HttpProblem(error.code, error.message);
  if (isDatabaseUnavailable(error)) return unavailable('The database is not available.');
  if (error instanceof QueueUnavailable) return unavailable('The queue is not available.');
  return new HttpProblem('internal_error', 'Something went wrong on our side.');
}

function notAllowed({ code, message, first, refused }: CommandNotAllowed): HttpProblem {
  const { rule, executable, index } = first;
  return new HttpProblem(code, message, {
    members: {
      ...{ rule, executable, index },
      refused: refused.map(({ reason, ...where }) => ({ ...where, detail: reason })),
    },
  });
}

function unavailable(what: string): HttpProblem {
  return new HttpProblem('unavailable', `${what} Try again shortly.`, {
    headers: { 'retry-after': '1' },
  });
}

export function statusOf({ code }: HttpProblem): number {
  return PROBLEMS[code].status;
}

/** The RFC 9457 document of a problem. `instance` identifies this occurrence in our log. */
export function problemResponse(
  problem: HttpProblem,
  requestId: string,
): APIGatewayProxyStructuredResultV2 {
  const { code, message: detail, extras } = problem;
  const { status, title } = PROBLEMS[code];
  return {
    statusCode: status,
    headers: { 'content-type': 'application/problem+json', ...extras.headers },
    body: JSON.stringify({
      type: `urn:errand:problem:${code}`,
      title,
      status,
      code,
      detail,
      instance: `urn:errand:request:${requestId}`,
      ...(extras.errors && { errors: extras.errors }),
      ...extras.members,
    }),
  };
}
