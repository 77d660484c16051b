import type { RateLimit, RateLimitState } from '../access/rate-limit.ts';

/** What the limit is called in the headers. */
const POLICY = '"key"';

/**
 * `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11: `q` requests in
 * `w` seconds, which is the bucket and how long it takes to fill; `r` are left, one more comes in
 * `t` seconds.
 */
export function rateLimitHeaders(rate: RateLimitState): Record<string, string> {
  return {
    'ratelimit-policy': `${POLICY};q=${rate.burst};w=${secondsToFill(rate)}`,
    ratelimit: `${POLICY};r=${rate.remaining};t=${rate.nextInSeconds}`,
  };
}

function secondsToFill({ burst, requestsPerMinute }: RateLimit): number {
  return Math.ceil((burst * 60) / requestsPerMinute);
}
