import * as z from 'zod';
import { DeadLettersDocument, RedriveDocument } from '../dead-letter-document.ts';
import { DeadLettersQuery, RedriveRequest } from '../dead-letter-requests.ts';
import { header, requestHeader } from './headers.ts';
import { needs, type Operations } from './operation.ts';
import { apiProblems, BODY, json } from './responses.ts';

const TAG = { tags: ['Dead letters'] };
const { requestId } = requestHeader;

export const deadLetterOperations = {
  '/api/dead-letters': {
    get: {
      ...TAG,
      ...needs('admin'),
      summary: 'Look at dead letters',
      description: 'Messages that the queue gave up on. They stay there.',
      requestParams: { query: DeadLettersQuery, header: z.object(requestId) },
      responses: {
        200: json('Some of them.', DeadLettersDocument),
        ...apiProblems('invalid_request'),
      },
    },
  },
  '/api/dead-letters/redrive': {
    post: {
      ...TAG,
      ...needs('admin'),
      summary: 'Send dead letters back to the queue',
      requestParams: { header: z.object(requestId) },
      requestBody: { content: { 'application/json': { schema: RedriveRequest } } },
      responses: {
        202: json('They are in the queue again.', RedriveDocument, { location: header.location }),
        ...apiProblems(...BODY, 'dead_letter_not_found'),
      },
    },
  },
} satisfies Operations<'/api/dead-letters' | '/api/dead-letters/redrive'>;
