import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalState } from '../../dev/local-state.ts';
import { recordRunning } from '../../dev/running-record.ts';
import { findDatabaseUrl } from '../../scripts/keys/database-url.ts';

const OURS = 'postgres://errand:pass"word@127.0.0.1:5433/errand';

describe('findDatabaseUrl', () => {
  let project: string;
  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'errand keys '));
  });
  afterEach(() => rm(project, { recursive: true }));
  const find = (env: Record<string, string> = {}) =>
    findDatabaseUrl(env, pathToFileURL(`${project}/`));

  function start() {
    const state = openLocalState(project);
    state.write('env', `AUTH="none"\nDATABASE_URL=${JSON.stringify(OURS.replace('"', ''))}\n`);
    return recordRunning(state, 'http://localhost:3500');
  }

  it('takes the database of the npm start that runs here', () => {
    start();
    expect(find()).toBe(OURS.replace('"', ''));
  });

  it('rather takes the one that it is told', () => {
    start();
    expect(find({ DATABASE_URL: 'postgres://a@b/c' })).toBe('postgres://a@b/c');
  });

  it('does not take the one of a start that is over', () => {
    start().clear();
    expect(() => find()).toThrow('DATABASE_URL is not set, and no `npm start` is up');
  });

  it('leaves nothing behind where there never was a start', () => {
    expect(() => find()).toThrow('DATABASE_URL is not set');
    expect(existsSync(join(project, '.errand'))).toBe(false);
  });
});
