import type { KeyCommand } from '../../lib/access/key-command.ts';
import type { KeyAnswer } from '../../lib/access/manage-keys.ts';
import { findCredentials, makeAws } from './aws.ts';

/**
 * Manages the keys of a stage through its function `manage-keys`: what it answers goes to whoever has
 * asked, and neither into a log nor into the stack's history.
 * @throws Error that says what is in the way
 */
export async function manageDeployedKeys(
  { stage, region }: { stage: string; region: string },
  env: Readonly<Record<string, string | undefined>>,
  command: KeyCommand,
  by: string,
): Promise<KeyAnswer> {
  const aws = makeAws(await findCredentials(env), region, env.AWS_ENDPOINT_URL || undefined);
  const name = `errand-${stage}-manage-keys`;
  const { status, text } = await aws('lambda', {
    path: `/2015-03-31/functions/${name}/invocations`,
    body: JSON.stringify({ command, by }),
  });
  if (status === 404) throw new Error(`there is no ${name} in ${region}: is the stage deployed?`);
  if (status !== 200) throw new Error(`Lambda answered ${status}: ${text.slice(0, 500)}`);
  const answer = JSON.parse(text, revive) as KeyAnswer | { errorMessage: string } | null;
  if (answer !== null && 'kind' in answer) return answer;
  throw new Error(`${name} failed: ${answer?.errorMessage ?? 'its log says why'}`);
}

/** JSON has no times. */
function revive(name: string, value: unknown): unknown {
  return typeof value === 'string' && /(At|Until)$/.test(name) ? new Date(value) : value;
}
