import { Failure } from '../failure.ts';
import type { Answer, Client } from './client.ts';
import { creation, idOf } from './operations.ts';

/** Tasks that are there before the first request, so that it has something to look at. */
const SEEDS = 10;

/** @throws Failure when errand is not there, or does not take tasks from this caller */
export async function createSeeds(aside: Client, run: string, url: string): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < SEEDS) {
    // Not of the run: nobody asked for them, and they came before it.
    const answer = await aside.ask(creation({ command: 'true' }, `${run}-seed`));
    const id = answer.kind === 'answered' && answer.status === 202 ? idOf(answer.body) : undefined;
    if (id === undefined) throw refusedBefore(answer, url);
    ids.push(id);
  }
  return ids;
}

function refusedBefore(answer: Answer, url: string): Failure {
  if (answer.kind !== 'answered') {
    const reason = answer.kind === 'failed' ? ` (${answer.reason})` : '';
    return new Failure(
      `errand does not answer at ${url}${reason}.`,
      'Start it with `npm start`, or say where it is: --url http://localhost:3501',
    );
  }
  const { status, body } = answer;
  if (status === 401 || status === 403) {
    return new Failure(
      `${url} refuses to take a task: ${status}, ${body}`,
      'Give a key with the scopes read and write, in ERRAND_API_KEY or with --key errand_...',
    );
  }
  return new Failure(
    `${url} does not take a task: ${status}, ${body.slice(0, 500)}`,
    'It must be the address of a running errand, without /api; its log says more.',
  );
}
