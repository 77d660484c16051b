import * as z from 'zod';
import { NewTaskRequest, NewTasksRequest } from '../new-task-request.ts';
import { OutputQuery } from '../output-requests.ts';
import { OutputDocument } from '../output-view.ts';
import type { ROUTES } from '../routes.ts';
import { StatsDocument } from '../stats-document.ts';
import { TaskBatchDocument, TaskDocument, TaskPageDocument } from '../task-document.ts';
import { ListTasksQuery, TaskPath } from '../task-requests.ts';
import { TaskQuery, WaitQuery } from '../wait.ts';
import { header, requestHeader } from './headers.ts';
import { needs, type Operations } from './operation.ts';
import { API_HEADERS, apiProblems, BODY, json } from './responses.ts';

/** The routes that these are about. */
type TaskPaths = '/api/stats' | Extract<keyof typeof ROUTES, `/api/tasks${string}`>;

const TAG = { tags: ['Tasks'] };
const { location, replayed, preferenceApplied, etag } = header;
const { requestId, idempotencyKey, prefer, ifNoneMatch } = requestHeader;

const createTask = {
  ...TAG,
  ...needs('write'),
  summary: 'Create a task',
  description:
    'Accepts a command to run later. Once this is answered, the task is stored and no crash loses it.',
  requestParams: {
    query: WaitQuery,
    header: z.object({ ...idempotencyKey, ...prefer, ...requestId }),
  },
  requestBody: { required: true, content: { 'application/json': { schema: NewTaskRequest } } },
  responses: {
    200: json('It has ended within the wait.', TaskDocument, {
      location,
      'idempotent-replayed': replayed,
      'preference-applied': preferenceApplied,
    }),
    202: json('It is to run.', TaskDocument, {
      location,
      'idempotent-replayed': replayed,
      'preference-applied': preferenceApplied,
    }),
    ...apiProblems(...BODY, 'idempotency_key_reused', 'command_not_allowed'),
  },
};

const createTasks = {
  ...TAG,
  ...needs('write'),
  summary: 'Create many tasks at once',
  description: 'Accepts all of them or none, in one go.',
  requestParams: { header: z.object({ ...idempotencyKey, ...requestId }) },
  requestBody: { required: true, content: { 'application/json': { schema: NewTasksRequest } } },
  responses: {
    202: json('They are to run.', TaskBatchDocument, {
      location,
      'idempotent-replayed': replayed,
    }),
    ...apiProblems(...BODY, 'idempotency_key_reused', 'command_not_allowed'),
  },
};

const listTasks = {
  ...TAG,
  ...needs('read'),
  summary: 'List tasks',
  description: 'Those that match, newest first.',
  requestParams: { query: ListTasksQuery, header: z.object(requestId) },
  responses: {
    200: json('A page of tasks.', TaskPageDocument),
    ...apiProblems('invalid_request'),
  },
};

const getTask = {
  ...TAG,
  ...needs('read'),
  summary: 'Look at a task',
  description: 'With its output and attempts.',
  requestParams: {
    path: TaskPath,
    query: TaskQuery,
    header: z.object({ ...prefer, ...ifNoneMatch, ...requestId }),
  },
  responses: {
    200: json('The task.', TaskDocument, { etag, 'preference-applied': preferenceApplied }),
    304: {
      description: 'It has ended, and the caller has it already.',
      headers: z.object({ ...API_HEADERS, etag }),
    },
    ...apiProblems('invalid_request', 'task_not_found'),
  },
};

const getOutput = {
  ...TAG,
  ...needs('read'),
  summary: 'Follow the output of a task',
  description:
    'What its command writes, while it writes. `Accept: text/plain` asks for the bytes themselves; headers tell how to go on then.',
  requestParams: { path: TaskPath, query: OutputQuery, header: z.object(requestId) },
  responses: {
    200: {
      description: 'The output so far.',
      headers: z.object({
        ...API_HEADERS,
        'errand-attempt': z.string().optional(),
        'errand-next': z.string().optional().meta({ description: 'The `after` to go on with.' }),
        'errand-done': z.enum(['true', 'false']).optional(),
      }),
      content: {
        'application/json': { schema: OutputDocument },
        'text/plain': { schema: z.string() },
      },
    },
    ...apiProblems('invalid_request', 'task_not_found', 'attempt_not_found'),
  },
};

const cancelTask = {
  ...TAG,
  ...needs('write'),
  summary: 'Cancel a task',
  description: 'Ends a queued task at once, and kills a running one within two seconds.',
  requestParams: { path: TaskPath, header: z.object(requestId) },
  responses: {
    202: json('It is cancelled, or will be.', TaskDocument, { location }),
    ...apiProblems('invalid_request', 'task_not_found', 'task_ended'),
  },
};

const retryTask = {
  ...TAG,
  ...needs('write'),
  summary: 'Run a task again',
  description: 'Runs a task that has ended once more, as its next attempt.',
  requestParams: { path: TaskPath, header: z.object(requestId) },
  responses: {
    202: json('It is to run.', TaskDocument, { location }),
    ...apiProblems('invalid_request', 'task_not_found', 'task_not_ended'),
  },
};

const getStats = {
  ...TAG,
  ...needs('read'),
  summary: 'See how tasks fare',
  requestParams: { header: z.object(requestId) },
  responses: {
    200: json('Counts and durations.', StatsDocument),
    ...apiProblems('invalid_request'),
  },
};

export const taskOperations = {
  '/api/tasks': { get: listTasks, post: createTask },
  '/api/tasks/batch': { post: createTasks },
  '/api/tasks/{taskId}': { get: getTask },
  '/api/tasks/{taskId}/output': { get: getOutput },
  '/api/tasks/{taskId}/cancel': { post: cancelTask },
  '/api/tasks/{taskId}/retry': { post: retryTask },
  '/api/stats': { get: getStats },
} as const satisfies Operations<TaskPaths>;
