/** How often a key may be used: so many requests in a row, and then so many a minute. */
export interface RateLimit {
  readonly requestsPerMinute: number;
  readonly burst: number;
}

/** What a request has left of its key's limit. */
export interface RateLimitState extends RateLimit {
  /** Whether this request got a token. */
  readonly granted: boolean;
  readonly remaining: number;
  /** Until there is one token more; 0 when there can be no more. */
  readonly nextInSeconds: number;
}
