import { describe, expect, it } from 'vitest';
import { type Lookup, resolveIntrinsics } from '../../dev/cloudformation.ts';

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: CloudFormation's, not JavaScript's.
describe('resolveIntrinsics', () => {
  const names: Record<string, string> = { Queue: 'https://queue', 'Queue.Arn': 'arn:queue' };
  const lookup: Lookup = (id, attribute) =>
    names[attribute === undefined ? id : `${id}.${attribute}`];

  it.each([
    [{ Ref: 'Queue' }, 'https://queue'],
    [{ 'Fn::GetAtt': ['Queue', 'Arn'] }, 'arn:queue'],
    [{ 'Fn::GetAtt': 'Queue.Arn' }, 'arn:queue'],
    [
      { 'Fn::Sub': 'a ${Queue} b ${Queue.Arn} c ${!Literal}' },
      'a https://queue b arn:queue c ${Literal}',
    ],
    [{ 'Fn::Sub': ['${Own}/${Queue}', { Own: { Ref: 'Queue' } }] }, 'https://queue/https://queue'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'Queue' }]] }, 'a-https://queue'],
    [{ nested: [{ Ref: 'Queue' }] }, { nested: ['https://queue'] }],
    ['text', 'text'],
    [7, 7],
    [null, null],
  ])('resolves %j', (value, resolved) => {
    expect(resolveIntrinsics(value, lookup)).toEqual(resolved);
  });

  it.each([
    [{ Ref: 'Unknown' }],
    [{ 'Fn::GetAtt': ['Queue', 'Colour'] }],
    [{ 'Fn::Sub': 'a ${Unknown}' }],
    [{ 'Fn::Join': ['-', [{ Ref: 'Unknown' }]] }],
    [{ 'Fn::ImportValue': 'elsewhere' }],
  ])('leaves %j as it was', (value) => {
    expect(resolveIntrinsics(value, lookup)).toEqual(value);
  });
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above.
