import { MIXES } from './mixes.ts';

export const USAGE = `npm run load -- [--rate 100] [--seconds 60] [--mix default]
npm run load -- --profile ramp --rate 300 --seconds 120
npm run load -- --rates 50,100,400,50 --seconds 20
npm run load -- --find-max --p99 250

Sends requests to a running errand at a rate, whether or not it answers in time, follows the tasks to
their end, and saves what it saw as JSON and as a picture.

  --url          where errand is; without it: http://localhost:3500
  --key          an API key with the scopes read and write; better in ERRAND_API_KEY, as others on
                 this machine see command lines
  --rate         requests a second; without it: 100. With --find-max: where the search begins; 20
  --seconds      for how long; without it: 60. With --rates: each of them; with --find-max: each
                 step; 15
  --profile      steady; or ramp: from nothing up to --rate and back again
  --rates        several rates, one after the other
  --mix          what is asked for: ${Object.keys(MIXES).join(', ')}
  --find-max     looks for the highest rate at which p99 holds, tasks end as fast as they are
                 created, and nothing fails
  --p99          milliseconds, for --find-max; without it: 250
  --max-open     so many requests may be without an answer; what is due beyond that is counted as
                 unsent; without it: 1000
  --timeout      seconds to wait for an answer; without it: 30
  --drain        seconds to wait at the end for the tasks to end; without it: 60
  --max-errors   percentage of requests that may fail (5xx, another answer than asked for, none, or
                 unsent; not: 429) before the exit code is 1; without it: 0
  --out          the JSON file, with the picture beside it; without it: .errand/load/TIME.json

Ctrl-C ends a run early, and tells what was until then.`;
