import type { Answer, Client, Request } from './client.ts';
import { commandOf, type MixName, type Operation, operationOf } from './mixes.ts';

/** Of the tasks that were created, so many are looked at. */
const MAX_KNOWN = 1000;
export const WAIT_SECONDS = 20;

/** What a right answer may say. 409: what was to be cancelled had ended before. */
const EXPECTED: Readonly<Record<Operation, readonly number[]>> = {
  create: [202],
  wait: [200, 202],
  get: [200],
  list: [200],
  cancel: [202, 409],
};

export function isExpected(operation: Operation, status: number): boolean {
  return EXPECTED[operation].includes(status);
}

/** Does what the mix says, one operation for each number. */
export interface Operations {
  operationOf(number: number): Operation;
  perform(operation: Operation, number: number): Promise<Answer>;
}

export interface OperationsOptions {
  readonly client: Client;
  readonly mix: MixName;
  /** Tells the tasks of this run from all others. */
  readonly run: string;
  /** Ids of tasks that are there already: there is something to look at from the first request on. */
  readonly known: readonly string[];
}

export function makeOperations({ client, mix, run, known }: OperationsOptions): Operations {
  const ids = [...known];
  let created = 0;

  async function create(headers: Record<string, string>): Promise<Answer> {
    const answer = await client.ask(creation(commandOf(created++), run, headers));
    if (answer.kind !== 'answered' || answer.status >= 300) return answer;
    const id = idOf(answer.body);
    if (id === undefined) return { kind: 'failed', reason: 'no task in the answer' };
    ids.push(id);
    if (ids.length > MAX_KNOWN) ids.shift();
    return answer;
  }

  const perform: Record<Operation, (number: number) => Promise<Answer>> = {
    create: () => create({}),
    wait: () => create({ prefer: `wait=${WAIT_SECONDS}` }),
    get: (number) => client.ask({ method: 'GET', path: `/api/tasks/${anyOf(ids, number)}` }),
    list: (number) =>
      client.ask({
        method: 'GET',
        path: `/api/tasks?${number % 2 ? 'limit=50' : 'status=failed'}`,
      }),
    cancel: () => client.ask({ method: 'POST', path: `/api/tasks/${ids.at(-1)}/cancel` }),
  };
  return {
    operationOf: (number) => operationOf(mix, number),
    perform: (operation, number) => perform[operation](number),
  };
}

/** A task with the label by which its run finds it again. */
export function creation(
  task: Record<string, unknown>,
  run: string,
  headers: Record<string, string> = {},
): Request {
  return { method: 'POST', path: '/api/tasks', body: { ...task, labels: { load: run } }, headers };
}

/** A prime number of steps apart, so that requests in a row look at tasks far from each other. */
function anyOf(ids: readonly string[], number: number): string | undefined {
  return ids[(number * 7919) % ids.length];
}

export function idOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { id?: string }).id;
  } catch {
    return undefined;
  }
}
