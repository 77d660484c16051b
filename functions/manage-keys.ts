import { KeyRequest } from '../lib/access/key-command.ts';
import { type KeyAnswer, manageKeys } from '../lib/access/manage-keys.ts';
import { openKeys } from '../lib/services.ts';

/**
 * AWS only: API keys, for an operator who cannot reach the database. Invoked directly by whoever IAM
 * lets: nothing else calls it, and its answer, which may hold a new key, is kept nowhere.
 * @throws Error that names the field of a request that is wrong
 */
export const handler = async (event: unknown): Promise<KeyAnswer> => {
  const request = KeyRequest.safeParse(event);
  if (!request.success) {
    const complaints = request.error.issues.map(
      ({ path, message }) => `${path.join('.')} ${message}`,
    );
    throw new Error(`The request is wrong: ${complaints.join('; ')}`);
  }
  const { command, by } = request.data;
  return manageKeys(await openKeys(), command, by);
};
