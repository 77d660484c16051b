import { once } from 'node:events';
import type { Limits, Outcome, Sandbox } from '../../../lib/sandbox/sandbox.ts';
import { runIn } from '../sandbox-run.ts';
import { type Attack, BROKE, type Harm, type HostileCommand } from './attack.ts';
import type { Host } from './host.ts';
import { changes, takeSnapshot } from './snapshot.ts';

/** What an attack came to. Without harm it has failed, as it should. */
export interface Verdict {
  readonly tries: string;
  readonly ending: string;
  readonly harms: readonly string[];
  readonly milliseconds: number;
}

const usual: Partial<Limits> = { wallMs: 10_000, processes: 24 };

/** Has a sandbox run an attack, and looks from outside at what came of it. */
export async function judge(sandbox: Sandbox, host: Host, attack: Attack): Promise<Verdict> {
  const run = runIn(sandbox);
  const started = performance.now();
  const before = takeSnapshot(host);
  const limits = { ...usual, ...attack.limits };
  const command = commandOf(attack, sandbox, host);
  let meanwhile: Promise<Harm> | undefined;
  const caller = new AbortController();
  const onOutput = () => {
    if (attack.during === undefined || meanwhile !== undefined) return;
    meanwhile = attack.during(host).finally(() => caller.abort());
  };
  const outcome = await run(command, { limits, onOutput, signal: caller.signal });
  const harms = [...told(outcome, host), attack.harm?.(outcome, host), await meanwhile];
  if (attack.next !== undefined) harms.push(...told(await run(attack.next(host)), host));
  harms.push(...changes(before, await settled(host, before)));
  const fine = await run('echo fine');
  if (String(fine.stdout.bytes) !== 'fine\n') harms.push('the next task does not run');
  return {
    tries: attack.tries,
    ending: JSON.stringify(outcome.ending),
    harms: harms.filter((harm): harm is string => harm !== undefined),
    milliseconds: Math.round(performance.now() - started),
  };
}

function commandOf(attack: Attack, sandbox: Sandbox, host: Host): HostileCommand {
  if (sandbox.tier === 'none' && typeof attack.bare === 'function') return attack.bare(host);
  return attack.command(host);
}

/** What the command says: the secret, or that it got through. */
function told({ stdout, stderr }: Outcome, { secret }: Host): Harm[] {
  const all = `${stdout.bytes.toString('latin1')}\n${stderr.bytes.toString('latin1')}`;
  return [
    all.includes(secret) ? 'it told the secret' : undefined,
    ...stdout.bytes
      .toString('latin1')
      .split('\n')
      .filter((line) => line.startsWith(BROKE)),
  ];
}

/** What came in from the network, and who ended, shows after a turn of the event loop. */
async function settled(host: Host, before: ReturnType<typeof takeSnapshot>) {
  const turn = new AbortController();
  const immediate = setImmediate(() => turn.abort());
  await once(turn.signal, 'abort');
  clearImmediate(immediate);
  const after = takeSnapshot(host);
  if (changes(before, after).length === 0) return after;
  await new Promise((resolve) => setTimeout(resolve, 30)); // a prepared folder may come and go
  return takeSnapshot(host);
}
