import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import type { Logger } from '../../lib/observability/logger.ts';
import type { Claim } from '../../lib/tasks/attempt-store.ts';
import { makeOutputRecorder } from '../../lib/tasks/output-recorder.ts';
import { chunkRows, readChunks, type StreamName } from '../../lib/tasks/output-store.ts';
import { expireLease, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { quiet } from '../support/quiet.ts';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const database = useDatabase();
let wire: TcpProxy;
let wired: Sql;
let claim: Claim;
let complaints: string[];

beforeAll(async () => {
  wire = await openProxy(database.url);
  wired = database.connect({ url: wire.url });
  return () => wire.close();
});
beforeEach(async () => {
  claim = await claimed(database.sql, await storeTask(database.sql));
  complaints = [];
});
afterEach(() => wire.mend());

const logger: Logger = Object.assign(Object.create(quiet), {
  warn: (_fields: object, complaint: string) => complaints.push(complaint),
});
const record = (sql: Sql = database.sql) => makeOutputRecorder({ sql, logger }, claim);

const chunk = (stream: StreamName, content: string | Buffer) => ({
  stream,
  bytes: Buffer.from(content as string),
});

async function stored() {
  return readChunks(database.sql, claim.taskId, {
    after: 0,
    upTo: Number.MAX_SAFE_INTEGER,
    maxBytes: 10_000_000,
  });
}

async function storedTexts(): Promise<string[]> {
  return (await stored()).map(({ stream, bytes }) => `${stream}: ${bytes}`);
}

/** What settling does with what is not stored yet. */
async function settle(recorder: ReturnType<typeof record>): Promise<void> {
  const rest = await recorder.finish();
  await database.sql`
    insert into errand.output_chunks (task_id, seq, stream, bytes)
    ${chunkRows(database.sql, claim.taskId, rest)}
    on conflict do nothing`;
}

describe('an output recorder', () => {
  it('stores output soon after it came, while the command goes on', async () => {
    const recorder = record();
    recorder.add(chunk('stdout', 'one\n'));
    await eventually(async () => expect(await storedTexts()).toEqual(['stdout: one\n']), 1000);
    recorder.add(chunk('stderr', 'two\n'));
    await eventually(async () => expect(await storedTexts()).toHaveLength(2), 1000);
    expect((await recorder.finish()).chunks).toEqual([]);
  });

  it('numbers the chunks of attempt 1 from 1,000,001 on, without a gap', async () => {
    const recorder = record();
    recorder.add(chunk('stdout', 'a'));
    await eventually(async () => expect(await stored()).toHaveLength(1));
    recorder.add(chunk('stderr', 'b'));
    recorder.add(chunk('stdout', 'c'));
    await settle(recorder);
    expect((await stored()).map(({ seq }) => seq)).toEqual([1_000_001, 1_000_002, 1_000_003]);
  });

  it('leaves a short output to settling, without a write of its own', async () => {
    const recorder = record();
    recorder.add(chunk('stdout', 'hello\n'));
    const rest = await recorder.finish();
    expect(rest).toEqual({ firstSeq: 1_000_001, chunks: [chunk('stdout', 'hello\n')] });
    expect(await stored()).toEqual([]);
  });

  it('puts what came one after the other on one stream into one chunk', async () => {
    const recorder = record();
    for (const text of ['a', 'b', 'c']) recorder.add(chunk('stdout', text));
    expect((await recorder.finish()).chunks).toEqual([chunk('stdout', 'abc')]);
  });

  it('makes no more than 16 rows of a burst that alternates between the streams', async () => {
    const recorder = record();
    for (let n = 0; n < 1000; n++) {
      recorder.add(chunk('stdout', `o${n} `));
      recorder.add(chunk('stderr', `e${n} `));
    }
    const { chunks } = await recorder.finish();
    expect(chunks).toHaveLength(16);
    const all = (wanted: StreamName) =>
      chunks.flatMap(({ stream, bytes }) => (stream === wanted ? [String(bytes)] : [])).join('');
    expect(all('stdout')).toBe(Array.from({ length: 1000 }, (_, n) => `o${n} `).join(''));
    expect(all('stderr')).toBe(Array.from({ length: 1000 }, (_, n) => `e${n} `).join(''));
  });

  it('does not cut a character in two', async () => {
    const recorder = record();
    const rocket = Buffer.from('🚀');
    recorder.add(chunk('stdout', Buffer.concat([Buffer.from('go '), rocket.subarray(0, 3)])));
    await eventually(async () => expect(await storedTexts()).toEqual(['stdout: go ']));
    recorder.add(chunk('stdout', rocket.subarray(3)));
    await settle(recorder);
    expect(await storedTexts()).toEqual(['stdout: go ', 'stdout: 🚀']);
  });

  it('gives out the bytes of a character that never comes to its end', async () => {
    const recorder = record();
    recorder.add(chunk('stdout', Buffer.from([0xf0, 0x9f])));
    expect((await recorder.finish()).chunks).toEqual([chunk('stdout', Buffer.from([0xf0, 0x9f]))]);
  });

  it('loses nothing while the database is away, and goes on by itself after', async () => {
    const recorder = record(wired);
    await wire.cut();
    recorder.add(chunk('stdout', 'during '));
    await eventually(() => expect(complaints).toContain('could not store output yet'));
    await wire.mend();
    recorder.add(chunk('stdout', 'after'));
    await eventually(async () => {
      expect((await storedTexts()).join('')).toMatch(/during .*after/);
    }, 10_000);
    expect((await recorder.finish()).chunks).toEqual([]);
  });

  it('hands over to settling what could not be stored', async () => {
    const recorder = record(wired);
    await wire.cut();
    recorder.add(chunk('stdout', 'first '));
    await eventually(() => expect(complaints).toContain('could not store output yet'));
    recorder.add(chunk('stdout', 'second'));
    await settle(recorder);
    expect((await stored()).map(({ bytes }) => String(bytes)).join('')).toBe('first second');
  });

  it('stores nothing any more for an attempt that was taken over', async () => {
    const recorder = record();
    await expireLease(database.sql, claim.taskId);
    await database.sql`
      update errand.tasks set attempt = 2 where id = ${claim.taskId}`;
    recorder.add(chunk('stdout', 'stale'));
    await recorder.finish();
    expect(await stored()).toEqual([]);
  });

  it('costs a command that never stops talking a bounded number of writes', async () => {
    let writes = 0;
    const counting = new Proxy(database.sql, {
      apply(target, self, args) {
        if (String(args[0]).includes('insert into errand.output_chunks')) writes += 1;
        return Reflect.apply(target, self, args);
      },
    });
    const recorder = record(counting);
    const until = performance.now() + 1500;
    let added = 0;
    for (; performance.now() < until; added++) {
      recorder.add(chunk('stdout', 'x'));
      await new Promise(setImmediate);
    }
    await recorder.finish();
    // After 100, 150, 225, 338, ... ms: six in the first two seconds, and one for each 64 KiB.
    expect(writes).toBeGreaterThan(1);
    expect(writes).toBeLessThanOrEqual(6 + added / 65_536);
  });

  it('keeps every byte of every stream in its order, whatever comes when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            stream: fc.constantFrom('stdout' as const, 'stderr' as const),
            bytes: fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
          }),
          { maxLength: 60 },
        ),
        async (chunks) => {
          claim = await claimed(database.sql, await storeTask(database.sql));
          const recorder = record();
          for (const added of chunks) recorder.add(added);
          await settle(recorder);
          const rows = await stored();
          for (const stream of ['stdout', 'stderr'] as const) {
            const of = (all: readonly { stream: StreamName; bytes: Buffer }[]) =>
              Buffer.concat(all.filter((one) => one.stream === stream).map(({ bytes }) => bytes));
            expect(of(rows)).toEqual(of(chunks));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
