import { type ManageKeys, runCommand } from '../keys/run-command.ts';
import { manageDeployedKeys } from './deployed-keys.ts';

/**
 * Makes a key and shows it, if the database has none yet. Not where a log would keep it: a key that
 * was shown there is worth nothing. What is in the way does not undo the deployment.
 */
export async function showFirstKey(
  deployed: { readonly stage: string; readonly region: string },
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const { stage, region } = deployed;
  const create = `npm run keys -- create --stage ${stage} --region ${region} --name NAME --scopes read,write,admin`;
  if (env.CI) {
    console.log(
      `\nA first API key is not made here, where a log would keep it. In a terminal: ${create}`,
    );
    return;
  }
  try {
    const manage: ManageKeys = (...request) => manageDeployedKeys(deployed, env, ...request);
    const { document, text } = await runCommand(manage, { kind: 'first' });
    if (document !== null) console.log(`\n${text}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    console.error(`\nDeployed, but no first API key was made: ${why}\nMake one: ${create}`);
  }
}
