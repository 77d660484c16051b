import { describe, expect, it } from 'vitest';
import { errorFields } from '../../lib/observability/error-fields.ts';

describe('errorFields', () => {
  it('tells what an error is, and that of its cause', () => {
    const cause = Object.assign(new TypeError('why'), { code: 'ECONNREFUSED' });
    expect(errorFields(new Error('what', { cause }))).toEqual({
      type: 'Error',
      message: 'what',
      stack: expect.stringContaining('error-fields.test.ts'),
      cause: {
        type: 'TypeError',
        message: 'why',
        code: 'ECONNREFUSED',
        stack: expect.any(String),
      },
    });
  });

  it('tells nothing else that an error carries', () => {
    const error = Object.assign(new Error('no'), { spawnargs: ['secret'], detail: 'secret' });
    expect(JSON.stringify(errorFields(error))).not.toContain('secret');
  });

  it('names the constraint that a statement violated', () => {
    const error = Object.assign(new Error('no'), { constraint_name: 'tasks_pkey' });
    expect(errorFields(error)).toMatchObject({ constraint: 'tasks_pkey' });
  });

  it.each([
    ['a text', 'a text'],
    [{ secret: 1 }, 'object'],
    [undefined, 'undefined'],
  ])('takes %o, which somebody threw instead', (thrown, told) => {
    expect(errorFields(thrown)).toBe(told);
  });
});
