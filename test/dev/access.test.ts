import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { tellAccess } from '../../dev/access.ts';
import { openProgress } from '../../dev/progress.ts';
import { readSettings } from '../../dev/settings.ts';
import { openTerminal } from '../../dev/terminal.ts';

function toldWith(env: Record<string, string>): string {
  const output = new PassThrough({ encoding: 'utf8' });
  const terminal = openTerminal(output as unknown as NodeJS.WriteStream, {});
  tellAccess(openProgress(terminal), readSettings(env));
  return output.read();
}

describe('a start', () => {
  it('warns each time when it asks nobody where others may connect', () => {
    expect(toldWith({ HOST: '0.0.0.0', AUTH: 'none' })).toMatch(
      /^ {2}access +missing +NONE ASKED FOR: whoever reaches 0\.0\.0\.0 runs commands/,
    );
  });

  it('says that it asks nobody on loopback', () => {
    expect(toldWith({})).toMatch(/^ {2}access +ready .* whoever is on this machine \(AUTH=none\)/);
  });

  it('says how to make a key where it asks for one', () => {
    expect(toldWith({ HOST: '0.0.0.0' })).toMatch(/API keys alone; npm run keys -- create/);
  });
});
