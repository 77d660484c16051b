import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a client shows. Kept nowhere: only the digest of its secret part is. */
export interface ApiKey {
  /** A UUID, by which the key is looked up, listed and revoked. */
  readonly id: string;
  readonly secret: string;
}

const SECRET_BYTES = 32;

/** `errand_` tells secret scanners whose it is; the id is without its dashes, to be picked at once. */
const FORMAT = /^errand_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_(.+)$/;
/** 32 bytes in base64url. */
const SECRET = /^[\w-]{43}$/;

/** 256 random bits: nobody guesses them, with or without our database. */
export function makeSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

export function formatApiKey({ id, secret }: ApiKey): string {
  return `errand_${id.replaceAll('-', '')}_${secret}`;
}

/** Undefined when the text is no key of ours, whole and unchanged. */
export function parseApiKey(text: string): ApiKey | undefined {
  const [, ...parts] = FORMAT.exec(text) ?? [];
  const secret = parts.pop();
  if (secret === undefined || !SECRET.test(secret)) return undefined;
  return { id: parts.join('-'), secret };
}

/**
 * What is stored of a secret. A slow hash (scrypt, Argon2) makes up for passwords that can be
 * guessed; 256 random bits cannot, and every request would pay its tens of milliseconds.
 */
export function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Takes the same time for whatever is compared, so that it tells nothing but its result. */
export function isSameDigest(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
