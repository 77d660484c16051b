import { toBytea } from '../db/array-types.ts';
import type { Sql } from '../db/connection.ts';
import type { TaskId } from './task.ts';

// What commands write, in chunks that are stored while they run.

/** Sequence numbers grow over all attempts of a task: an attempt's begin at its number times this. */
const SEQS_OF_AN_ATTEMPT = 1_000_000;

/** The sequence number before the first one of an attempt. */
export function seqBefore(attempt: number): number {
  return attempt * SEQS_OF_AN_ATTEMPT;
}

export type StreamName = 'stdout' | 'stderr';

/** Chunks with sequence numbers from `firstSeq` on, without a gap. */
export interface OutputBatch {
  readonly firstSeq: number;
  readonly chunks: readonly { readonly stream: StreamName; readonly bytes: Buffer }[];
}

interface AttemptKey {
  readonly taskId: TaskId;
  readonly attempt: number;
}

/** Which chunks are of an attempt. */
export function isOfAttempt(sql: Sql, attempt: ReturnType<Sql>) {
  return sql`seq > ${attempt} * ${SEQS_OF_AN_ATTEMPT}::bigint
             and seq < (${attempt} + 1) * ${SEQS_OF_AN_ATTEMPT}::bigint`;
}

/** Rows for `errand.output_chunks`: task_id, seq, stream, bytes. */
export function chunkRows(sql: Sql, taskId: TaskId, { firstSeq, chunks }: OutputBatch) {
  return sql`
    select ${taskId}::uuid, ${firstSeq}::bigint + c.n - 1, c.stream, c.bytes
      from unnest(${chunks.map(({ stream }) => stream)}::text[],
                  ${chunks.map(({ bytes }) => toBytea(bytes))}::bytea[])
           with ordinality as c (stream, bytes, n)`;
}

/**
 * Stores output of an attempt that is still its task's running one; false when it is not. A batch
 * that is sent a second time, because the answer to the first one was lost, changes nothing.
 */
export async function storeOutput(
  sql: Sql,
  { taskId, attempt }: AttemptKey,
  batch: OutputBatch,
): Promise<boolean> {
  const [row] = await sql<[{ ours: boolean }]>`/* storeOutput */
    with mine as (
      select from errand.tasks where id = ${taskId} and attempt = ${attempt} and status = 'running'
    ), stored as (
      insert into errand.output_chunks (task_id, seq, stream, bytes)
      select chunk.* from mine, (${chunkRows(sql, taskId, batch)}) as chunk
      on conflict do nothing
    )
    select exists (select from mine) as ours`;
  return row.ours;
}

/** A chunk as it is read. */
export interface StoredChunk {
  readonly seq: number;
  readonly stream: StreamName;
  readonly at: Date;
  readonly bytes: Buffer;
}

/**
 * The chunks of a task with sequence numbers from `after` (exclusive) to `upTo` (inclusive), of at
 * most `maxBytes` together: but at least one, when there is one.
 */
export async function readChunks(
  sql: Sql,
  taskId: TaskId,
  { after, upTo, maxBytes }: { after: number; upTo: number; maxBytes: number },
): Promise<StoredChunk[]> {
  return sql<StoredChunk[]>`/* readChunks */
    select seq, stream, stored_at as at, bytes
      from (select *, sum(length(bytes)) over (order by seq) - length(bytes) as before
              from errand.output_chunks
             where task_id = ${taskId} and seq > ${after} and seq <= ${upTo}) as c
     where before < ${maxBytes}
     order by seq`;
}
