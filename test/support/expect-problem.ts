import { expect } from 'vitest';
import type { Answer } from './functions.ts';

/** An answer that is an RFC 9457 document, and can be found in the log. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatchObject({ status, code, type: `urn:errand:problem:${code}` });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.body.instance).toBe(`urn:errand:request:${answer.headers['x-request-id']}`);
}
