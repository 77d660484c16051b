import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  digestOf,
  formatApiKey,
  isSameDigest,
  makeSecret,
  parseApiKey,
} from '../../lib/access/api-key.ts';

const ID = '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f';
const SECRET = 'nLFGgaJk8d_ujNQ-NuLWC1bJ0cSyRVc7FMvVY5vD4-A';
const KEY = `errand_019abf0e6f4c7d1aa6f44a8f6c1d2e3f_${SECRET}`;

describe('an API key', () => {
  it('is a name that scanners know, the id, and the secret', () => {
    expect(formatApiKey({ id: ID, secret: SECRET })).toBe(KEY);
    expect(parseApiKey(KEY)).toEqual({ id: ID, secret: SECRET });
  });

  it('has a secret of 256 bits, another one each time', () => {
    const secrets = Array.from({ length: 1000 }, makeSecret);
    expect(new Set(secrets).size).toBe(1000);
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(parseApiKey(formatApiKey({ id: ID, secret: secrets[0] ?? '' }))).toBeDefined();
  });

  it.each([
    ['nothing', ''],
    ['a key that was cut off', KEY.slice(0, -1)],
    ['a key with something behind it', `${KEY}a`],
    ['a key in upper case', KEY.toUpperCase()],
    ['another prefix', KEY.replace('errand', 'github')],
    ['a space in it', KEY.replace('_n', '_ n')],
    ['two keys', `${KEY},Bearer ${KEY}`],
    ['a line break', `${KEY}\n`],
  ])('is not %s', (_what, text) => {
    expect(parseApiKey(text)).toBeUndefined();
  });

  it('is stored as SHA-256 of its secret', () => {
    // printf %s 'nLFGgaJk8d_ujNQ-NuLWC1bJ0cSyRVc7FMvVY5vD4-A' | sha256sum
    expect(digestOf(SECRET).toString('hex')).toBe(
      '98a107d3c47ae487635e5ab0054d40ffb308ce7e939a39e2cf95c750877a02b8',
    );
  });

  it('is compared as a whole, in a time that does not depend on what differs', () => {
    const digest = digestOf(SECRET);
    expect(isSameDigest(digest, digestOf(SECRET))).toBe(true);
    expect(isSameDigest(digest, digestOf(`${SECRET}x`))).toBe(false);
    expect(isSameDigest(digest, digest.subarray(1))).toBe(false);
    const source = readFileSync(new URL('../../lib/access/api-key.ts', import.meta.url), 'utf8');
    expect(source).toContain('timingSafeEqual(one, other)');
  });
});
