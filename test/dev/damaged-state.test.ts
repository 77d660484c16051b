import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { choosePorts } from '../../dev/chosen-ports.ts';
import { openLocalState } from '../../dev/local-state.ts';
import { setDamagedQueueAside } from '../../dev/queue-data.ts';
import { untilReplaced } from '../../dev/socket-file.ts';
import { servePostgres, startPostgres } from '../support/servers.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'errand-damaged-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('choosePorts', () => {
  it('chooses the ports of the last start', async () => {
    const state = openLocalState(directory);
    const ports = await choosePorts(state, 3500);
    expect(await choosePorts(state, 3500)).toEqual(ports);
  });

  it.each(['{"postgres": "abc", "queue": -1}', '{"postgres": 0, "queue": 65536}', '[]', 'null'])(
    'chooses others when it reads %s',
    async (text) => {
      const state = openLocalState(directory);
      state.write('ports.json', text);
      const { postgres, queue } = await choosePorts(state, 3500);
      for (const port of [postgres, queue]) expect(port).toBeGreaterThan(1023);
    },
  );

  it('gives no two of a start the same', async () => {
    const state = openLocalState(directory);
    const { postgres, queue } = await choosePorts(state, 3500);
    state.write('ports.json', { postgres, queue: postgres });
    const chosen = await choosePorts(state, 3500);
    expect(chosen.postgres).toBe(postgres);
    expect(chosen.queue).not.toBe(postgres);
    expect((await choosePorts(state, queue)).queue).not.toBe(queue);
  });
});

describe('setDamagedQueueAside', () => {
  const sqs = () => join(directory, 'sqs');
  const file = () => join(sqs(), 'fauxqs.db');
  beforeEach(() => mkdir(sqs()));

  function writeDatabase() {
    const database = new DatabaseSync(file());
    database.exec('create table messages (body text)');
    database.exec('insert into messages values (hex(randomblob(20000)))');
    database.close();
  }

  it('leaves sound data alone, and none', () => {
    expect(setDamagedQueueAside(sqs())).toBeUndefined();
    writeDatabase();
    expect(setDamagedQueueAside(sqs())).toBeUndefined();
  });

  it.each(['first', 'last'])('moves data aside whose %s half is garbage', async (half) => {
    writeDatabase();
    const size = 48 * 1024;
    const handle = await open(file(), 'r+');
    const at = half === 'first' ? 0 : 8192;
    await handle.write(Buffer.alloc(size - at, 'garbage'), 0, size - at, at);
    await handle.close();

    expect(setDamagedQueueAside(sqs())).toBeTypeOf('string');
    expect(await readdir(directory)).toEqual(['sqs.damaged']);
  });
});

describe('untilReplaced', () => {
  it('waits while the file is there, and hears when it is removed', async () => {
    const path = join(directory, 'lambda.sock');
    await writeFile(path, '');
    const replaced = untilReplaced(path, AbortSignal.timeout(10_000)).then(() => 'replaced');
    expect(await Promise.race([replaced, sleep(700, 'there')])).toBe('there');
    await rm(path);
    expect(await replaced).toBe('replaced');
  });
});

describe('the password of the database', () => {
  it('is set anew when its file was removed, and the data stays', async () => {
    const server = await startPostgres();
    const before = postgres(server.url, { max: 1 });
    await before`create table kept (word text)`;
    await before`insert into kept values ('still here')`;
    await before.end();
    await server.close({ keepData: true });

    await rm(join(server.directory, '.errand', 'postgres-password'));
    const again = await servePostgres(server.directory);
    const after = postgres(again.url, { max: 1 });
    expect(again.url).not.toBe(server.url);
    expect(await after`select word from kept`).toEqual([{ word: 'still here' }]);
    await after.end();
    await again.close();
  });
});
