import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { emulatorAnswers } from '../../dev/emulator.ts';
import { freePort } from '../../dev/ports.ts';

describe('emulatorAnswers', () => {
  const server = createServer((_request, response) => response.writeHead(404).end());
  afterEach(() => server.close());

  it('waits for an emulator that starts after it was asked, whatever that says to strangers', async () => {
    const port = await freePort(undefined);
    const endpoint = `http://127.0.0.1:${port}`;
    let answered = false;
    const answers = emulatorAnswers(endpoint).then((where) => {
      answered = true;
      return where;
    });

    await expect(fetch(endpoint)).rejects.toThrow();
    expect(answered).toBe(false);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    expect(await answers).toBe(endpoint);
  });
});
