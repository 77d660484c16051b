import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type Search, type SearchOptions, searchMax } from '../../../scripts/load/search.ts';
import { useLoopbackServer } from '../../support/loopback-server.ts';

/** A server that takes tasks and runs none: a real one has its workers do so when they hang. */
const task = { id: '1', status: 'queued', createdAt: new Date().toISOString() };
const idle = { startedAt: null, finishedAt: null };

function answerTo({ method, url = '' }: IncomingMessage): unknown {
  if (method === 'POST') return task;
  if (url.startsWith('/api/stats')) return { tasks: { queued: 1, running: 0 } };
  return { items: [{ ...task, ...idle }], nextCursor: null };
}

const server = useLoopbackServer((request, response) => {
  request.resume();
  response.writeHead(request.method === 'POST' ? 202 : 200).end(JSON.stringify(answerTo(request)));
});

function search(drainSeconds: number, signal: AbortSignal, steps: Search['steps'][number][] = []) {
  const options: SearchOptions = {
    plan: {
      url: server.url,
      key: undefined,
      phases: [{ fromRate: 1, toRate: 1, seconds: 1 }],
      mix: 'create',
      maxOpen: 10,
      timeoutSeconds: 10,
      drainSeconds,
    },
    firstRate: 10,
    bounds: { p99Ms: 60_000, maxErrorsPercent: 0 },
    onStep: (step) => steps.push(step),
  };
  return searchMax(options, { signal, sampleMemory: undefined, onProgress: () => {} });
}

describe('searchMax', () => {
  it('goes no further while tasks of a step have not ended', async () => {
    const steps: Search['steps'][number][] = [];
    await expect(search(0.1, new AbortController().signal, steps)).rejects.toMatchObject({
      message: expect.stringMatching(/^1 tasks had not ended 0\.1 s after a step/),
      remedy: 'Give them more time: --drain 60',
    });
    expect(steps.map(({ rate }) => rate)).toEqual([10]);
  });

  it('reports the step that was stopped, and takes it for no rate that holds', async () => {
    const stop = new AbortController();
    const searching = search(600, stop.signal);
    setTimeout(() => stop.abort(), 200);
    const { highest, steps, report } = await searching;
    expect([highest, steps, report.endedEarly]).toEqual([undefined, [], true]);
  });
});
