import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeSealer, makeUnsealer } from '../../lib/sandbox/runner-protocol.ts';

const key = randomBytes(32);

/** What a worker takes from an answer, whose bytes arrive in pieces of a size. */
function unseal(answer: Buffer, pieceBytes = answer.length): string[] {
  const taken: string[] = [];
  const read = makeUnsealer(key, (kind, body) => taken.push(`${kind} ${body}`));
  for (let at = 0; at < answer.length; at += pieceBytes) {
    read(answer.subarray(at, at + pieceBytes));
  }
  return taken;
}

function sealed(...bodies: string[]): Buffer[] {
  const seal = makeSealer(key);
  return bodies.map((body) => seal('bytes', Buffer.from(body)));
}

describe('the answer of a runner', () => {
  it.each([1, 7, 1000])('is read in pieces of %d bytes', (pieceBytes) => {
    const answer = Buffer.concat(sealed('hello', '', 'world'));
    expect(unseal(answer, pieceBytes)).toEqual(['bytes hello', 'bytes ', 'bytes world']);
  });

  it('is refused from a command that does not have the key', () => {
    const forged = makeSealer(randomBytes(32))('bytes', Buffer.from('exit code 0'));
    expect(() => unseal(forged)).toThrow('its seal is wrong');
  });

  it('is refused when a piece was changed, left out, repeated or moved', () => {
    const [first, second] = sealed('one', 'two') as [Buffer, Buffer];
    const changed = Buffer.from(first);
    changed.write('0', changed.length - 1);
    const farewell = Buffer.from(first);
    farewell.writeUInt8(1, 0);
    for (const answer of [changed, farewell, second, Buffer.concat([first, first])]) {
      expect(() => unseal(answer)).toThrow('its seal is wrong');
    }
  });
});
