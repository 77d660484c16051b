import { parseApiKey } from '../access/api-key.ts';
import type { RateLimitState } from '../access/rate-limit.ts';
import { type Shown, showKey } from '../access/show-key.ts';
import type { Sql } from '../db/connection.ts';
import { addToAnswer } from './answer-headers.ts';
import type { Authenticate } from './api-handler.ts';
import { challenge, credentialsOf } from './bearer.ts';
import { HttpProblem } from './problem.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';

const HOW = 'Send the header "Authorization: Bearer errand_...".';

/** Asks for an API key, and holds its rate limit. */
export function makeAuthenticate({ sql }: { sql: Sql }): Authenticate {
  return async (event) => {
    const credentials = credentialsOf(event);
    if (credentials.kind === 'none') throw missing(`An API key is needed. ${HOW}`);
    if (credentials.kind === 'foreign') throw missing(`Only API keys are taken. ${HOW}`);
    const key = parseApiKey(credentials.token);
    if (!key) {
      throw invalid('The API key is malformed: it is errand_, 32 hex digits, _ and 43 characters.');
    }
    const shown = await showKey(sql, key);
    if (shown.kind !== 'good') throw invalid(whyNot(shown));
    if (shown.rate) addToAnswer(event, rateLimitHeaders(shown.rate));
    if (shown.rate?.granted === false) throw limited(shown.rate);
    return shown.principal;
  };
}

function whyNot(shown: Exclude<Shown, { kind: 'good' }>): string {
  switch (shown.kind) {
    case 'unknown':
      return 'There is no API key with this id and this secret: it is mistyped, or was replaced long ago.';
    case 'revoked':
      return `The API key was revoked at ${shown.at.toISOString()}.`;
    case 'expired':
      return `The API key expired at ${shown.at.toISOString()}.`;
    case 'replaced':
      return `The secret of the API key was replaced; this one was good until ${shown.at.toISOString()}.`;
  }
}

/** Without an error code: the request did not claim anything (RFC 6750, 3.1). */
function missing(detail: string): HttpProblem {
  return new HttpProblem('unauthenticated', detail, { headers: challenge() });
}

function invalid(detail: string): HttpProblem {
  return new HttpProblem('unauthenticated', detail, {
    headers: challenge({ error: 'invalid_token', error_description: detail }),
  });
}

function limited({ requestsPerMinute, burst, nextInSeconds }: RateLimitState): HttpProblem {
  return new HttpProblem(
    'rate_limited',
    `The limit of this API key is ${requestsPerMinute} requests a minute, ${burst} at once. ` +
      `Try again in ${nextInSeconds} s.`,
    { headers: { 'retry-after': String(nextInSeconds) } },
  );
}
